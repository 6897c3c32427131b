"""Identity of the software that commands of the host see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tea_runner.core.errors import SettingsError
from tea_runner.sandbox.software_identity import software_identity


def environment(root: Path, *packages: str) -> Path:
    """A virtual environment with these packages."""
    site = root / "lib/python3.11/site-packages"
    site.mkdir(parents=True, exist_ok=True)
    (root / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.2\n")
    for name in packages:
        (site / f"{name}.dist-info").mkdir(exist_ok=True)
    return root


def test_packages_with_their_versions_make_it(tmp_path: Path) -> None:
    """Equal wherever the environment is; another version, package or Python is another one."""
    one = environment(tmp_path / "one", "numpy-2.0", "scipy-1.1")
    two = environment(tmp_path / "two", "scipy-1.1", "numpy-2.0")
    path = f"/nowhere/bin:{one / 'bin'}:{two / 'bin'}"
    first = software_identity("python", path)

    assert first == software_identity("python", f"{two / 'bin'}:/usr/bin")
    environment(one, "numpy-2.1")
    second = software_identity("python", path)
    (one / "pyvenv.cfg").write_text("version = 3.12.0\n")
    assert 3 == len({first, second, software_identity("python", path)})


def test_conda_environments_are_known_by_their_records(tmp_path: Path) -> None:
    """``conda-meta`` names each package."""
    (tmp_path / "conda-meta").mkdir()
    before = software_identity("python", str(tmp_path / "bin"))
    (tmp_path / "conda-meta/numpy-2.0-py311.json").write_text("{}")

    assert before != software_identity("python", str(tmp_path / "bin"))


def test_a_word_is_taken_as_it_is() -> None:
    """None is none; the host's own Python is no environment; what would break a manifest is refused."""
    assert "lab-2026-11" == software_identity("lab-2026-11", "")
    assert "" == software_identity("", "/usr/bin")
    assert "python:none" == software_identity("python", "/usr/bin:/bin")
    with pytest.raises(SettingsError, match=r"sandbox\.identity"):
        software_identity("a\tb", "")
