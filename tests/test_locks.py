"""Lock files of the image: every dependency is pinned, with the hashes of its files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "deploy").glob("*.lock"))


def pinned(lock: Path) -> dict[str, str]:
    """Name to version of each package in a lock file."""
    found = re.findall(
        r"^([a-z0-9.-]+)==([^ ;\\]+)", lock.read_text(encoding="ascii"), re.MULTILINE
    )
    return dict(found)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_pinned_package_has_hashes(lock: Path) -> None:
    """pip refuses a file with another hash; no index or other address is named."""
    text = lock.read_text(encoding="ascii")
    entries = re.split(r"\n(?=[a-z])", text.strip())

    assert len(pinned(lock)) == len(entries) > 5
    assert [] == [entry for entry in entries if "--hash=sha256:" not in entry]
    assert "://" not in text


@pytest.mark.parametrize(
    ("name", "extras"), [("requirements", ()), ("requirements-demo", ("demo",))]
)
def test_the_lock_has_what_the_project_needs(name: str, extras: tuple[str, ...]) -> None:
    """Pin the dependencies anew with ``make lock`` when this fails."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = list(project["dependencies"])
    for extra in extras:
        needed += project["optional-dependencies"][extra]
    have = pinned(ROOT / "deploy" / f"{name}.lock")
    wrong = []
    for requirement in map(Requirement, needed):
        version = have.get(requirement.name.lower())
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            wrong.append(str(requirement))

    assert [] == wrong
