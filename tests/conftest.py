"""What every test starts from: a home of its own, no settings, no git configuration but ours."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.gitea"]

# A busy machine is no fault of what is tested: properties are judged by what they say, not by the clock.
settings.register_profile(
    "steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("steady")

_GIT = """\
[user]
	name = Test
	email = test@example.org
[init]
	defaultBranch = main
[advice]
	detachedHead = false
[gc]
	auto = 0
[maintenance]
	auto = false
"""


#: What a skipped test calls a program that ``TEA_TEST_REQUIRE`` names.
_KNOWN_AS = {"bwrap": "bubblewrap", "dockerd": "docker"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that is skipped for the lack of a program that must be there has failed."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        for program in os.environ.get("TEA_TEST_REQUIRE", "").split():
            if re.search(rf"\b{_KNOWN_AS.get(program, program)}\b", reason):
                report.outcome = "failed"
                report.longrepr = f"{program} is required (TEA_TEST_REQUIRE). {reason}"
                break
    return report


def _stamp(path: Path) -> tuple[int, int] | None:
    return (path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else None


@pytest.fixture(scope="session", autouse=True)
def _real_home_is_left_alone() -> Iterator[None]:
    """Fail the run when a test wrote into the git configuration or settings of who runs it."""
    home = Path(os.environ.get("HOME", "/nonexistent"))
    watched = [home / ".gitconfig", home / ".config/git/config", home / ".config/tea-runner"]
    before = {path: _stamp(path) for path in watched}
    yield
    assert before == {path: _stamp(path) for path in watched}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give each test an empty home, and nothing of the settings around it."""
    for name in list(os.environ):
        if name.startswith(("TEA_RUNNER_", "GIT_", "DATALAD_", "XDG_")):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(_GIT, encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
