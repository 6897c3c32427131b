"""Every test gets an empty home and a git configuration of its own; tests that did not run are counted."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.gitea", "tests.gogs"]

# A busy machine makes properties slow, not wrong: no deadline per example.
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


#: The word for a program of ``TEA_TEST_REQUIRE`` in the reason of a skipped test.
_KNOWN_AS = {"bwrap": "bubblewrap", "dockerd": "docker"}
#: Marker to the make target that runs its tests.
_TARGETS = {
    "gitea": "test-forge",
    "engine": "test-engines",
    "browser": "test-browser",
    "cluster": "test-cluster",
    "long": "test-long",
    "soak": "faults",
}
_NOT_RUN = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count the tests that this run leaves out."""
    config.stash[_NOT_RUN] = Counter()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count tests that were left out by the target that runs them."""
    for item in items:
        target = next((_TARGETS[name] for name in _TARGETS if item.get_closest_marker(name)), "")
        item.config.stash[_NOT_RUN][target] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts of an xdist worker to its controller."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["not_run"] = dict(session.config.stash[_NOT_RUN])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each xdist worker collects every test: one worker's counts are those of the run."""
    node.config.stash[_NOT_RUN] = Counter(getattr(node, "workeroutput", {}).get("not_run", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what did not run: such a test has not passed."""
    lines = [
        f"not run: {count} of make {target}" if target else f"not run: {count} deselected"
        for target, count in sorted(config.stash[_NOT_RUN].items())
    ]
    skipped = len(terminalreporter.stats.get("skipped", []))
    lines += [f"not run: {skipped} skipped, with the reasons above"] if skipped else []
    for line in lines:
        terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that is skipped because a required program is missing."""
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
    """Fail the run when a test wrote into the real git configuration or settings."""
    home = Path(os.environ.get("HOME", "/nonexistent"))
    watched = [home / ".gitconfig", home / ".config/git/config", home / ".config/tea-runner"]
    before = {path: _stamp(path) for path in watched}
    yield
    assert before == {path: _stamp(path) for path in watched}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give each test an empty home and none of the surrounding settings."""
    for name in list(os.environ):
        if name.startswith(("TEA_RUNNER_", "GIT_", "DATALAD_", "XDG_")):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    (home / ".gitconfig").write_text(_GIT, encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")


@pytest.fixture(autouse=True, scope="module")
def _no_git_is_left() -> Iterator[None]:
    """The tests of a file close the datasets that they open: a git process left behind fails the last."""
    before = _children_of_git()
    yield
    left = _children_of_git() - before
    assert set() == {_command(pid) for pid in left}


def _children_of_git() -> set[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    children = {int(pid) for task in tasks for pid in task.read_text().split()}
    return {pid for pid in children if _command(pid).startswith("git ")}


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return ""
