"""Checks of programs, folders and connections.

No function raises an error: a check that cannot be made is a finding.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.metadata
import importlib.util
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tea_runner.cli.git_vulnerabilities import unfixed
from tea_runner.core.errors import TeaError
from tea_runner.core.planning.approval_or_pause import Order
from tea_runner.host import process
from tea_runner.host.private_folder import how_to_write
from tea_runner.sandbox.kinds import (
    KINDS,
    WATCHED,
    EnvironmentChoice,
    cpus_are_limited,
    memory_control,
    memory_refusal,
)
from tea_runner.sandbox.network_filter import NetworkAccess

if TYPE_CHECKING:
    from tea_runner.broker.live_processes import ProcessFacts
    from tea_runner.broker.redis_server import ServerFacts
    from tea_runner.broker.workers_and_queues import Fleet

#: git 2.36 has ``safe.bareRepository`` and all used forms of ``--filter``.
GIT = (2, 36)
#: Where Debian and its relatives have the changelog of git's package.
_CHANGELOGS = (
    "/usr/share/doc/git/changelog.Debian.gz",
    "/usr/share/doc/git/changelog.gz",
)
#: The git of such a package.
_PACKAGED = ("/usr/bin/git", "/bin/git")
#: Characters of a changelog that are read.
_MAX_CHANGELOG = 1 << 20
ANNEX = (10, 20230626)
#: Seconds by which two clocks may differ before leases and dates become wrong.
_APART = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: the thing, its state, and what to do."""

    name: str
    #: warning: something does not work, and may not be needed; error: it must be fixed.
    state: Literal["ok", "warning", "error"]
    text: str


def check_git(variables: Mapping[str, str]) -> list[Finding]:
    """Check the version of git, and the user of commits."""
    version = _output(["git", "version"], variables)
    if version is None:
        return [_bad("git", "git is not on PATH; install git 2.36 or newer (apt install git)")]
    text = version.removeprefix("git version ")
    if _number(text)[: len(GIT)] < GIT:
        return [_bad("git", f"{text} is too old; install git 2.36 or newer")]
    packaged = shutil.which("git", path=variables.get("PATH", os.defpath)) in _PACKAGED
    holes = unfixed(_number(text), _package_changelog() if packaged else "")
    if holes:
        return [
            _bad(
                "git",
                f"{text} has known vulnerabilities ({', '.join(holes)}), and it reads repositories of "
                f"strangers; install git 2.50.1 or newer, or the security updates of your distribution",
            )
        ]
    found = [_ok("git", text)]
    missing = [
        n for n in ("user.name", "user.email") if not _output(["git", "config", n], variables)
    ]
    if missing:
        hint = f"git config --global {missing[0]} …"
        found.append(_weak("git user", f"{' and '.join(missing)} is not set; {hint}"))
    return found


def _package_changelog() -> str:
    """The changelog of the distribution's package of git, which names the vulnerabilities fixed there."""
    for path in _CHANGELOGS:
        with (
            contextlib.suppress(OSError, EOFError),
            gzip.open(path, "rt", encoding="utf-8", errors="replace") as file,
        ):
            return file.read(_MAX_CHANGELOG)
    return ""


def check_annex(variables: Mapping[str, str]) -> list[Finding]:
    """Check the version of git-annex, and the commands that are used."""
    version = _output(["git-annex", "version", "--raw"], variables)
    if version is None:
        return [_bad("git-annex", "git-annex is not on PATH; pip install git-annex")]
    if _number(version)[: len(ANNEX)] < ANNEX:
        return [_bad("git-annex", f"{version} is too old; pip install -U git-annex")]
    if _output(["git-annex", "verifyremote", "--help"], variables) is None:
        text = f"{version} has no verifyremote command, which checks special remotes of datasets"
        return [_weak("git-annex", f"{text}; pip install -U git-annex")]
    return [_ok("git-annex", f"{version}, verifyremote")]


def check_datalad(variables: Mapping[str, str]) -> list[Finding]:
    """Check DataLad, and the program that run records call."""
    found = []
    if importlib.util.find_spec("datalad") is None:
        found.append(_bad("datalad", "not importable; pip install datalad"))
    else:
        found.append(_ok("datalad", importlib.metadata.version("datalad")))
    if shutil.which("tea-runner", path=variables.get("PATH", os.defpath)) is None:
        text = "it is not on PATH, where datalad rerun needs it for images; add its folder to PATH"
        found.append(_weak("tea-runner", text))
    return found


def check_sandbox(
    choice: EnvironmentChoice, kinds: Sequence[str], *, network: bool
) -> list[Finding]:
    """Run a trial command in each environment.

    :param network: whether pipelines may use a network.
    """
    found = []
    for kind in dict.fromkeys(choice.sandbox if each == "host" else each for each in kinds):
        name = "sandbox" if kind in ("host", "off") else kind
        if kind == "off":
            text = 'commands run with all your rights; use sandbox.kind = "bwrap"'
            found += [_weak(name, text), _memory(kind, choice)]
            continue
        environment = KINDS[kind](choice)
        try:
            wrong = environment.check()
            apart = environment.network_problem() if network and not wrong else None
        except TeaError as error:
            wrong, apart = error.message, None
        found.append(_bad(name, wrong) if wrong else _ok(name, "a trial command ran"))
        if not wrong:
            found.append(_memory(kind, choice))
            if kind in ("host", "apptainer"):
                found.append(_processors(kind, choice))
        if network and not wrong:
            found.append(_network(f"{name} network", choice.network, apart))
    return found


def _memory(kind: str, choice: EnvironmentChoice) -> Finding:
    """How the memory of commands is limited."""
    name = "memory of commands" if kind in ("host", "off") else f"memory of commands in {kind}"
    refusal = memory_refusal(kind, choice)
    if refusal:
        return _bad(name, refusal)
    if memory_control(kind, choice) == "held":
        return _ok(name, "a control group enforces the limit")
    return _weak(name, f"{WATCHED}, or refuse commands here: sandbox.require_cgroup = true")


def _processors(kind: str, choice: EnvironmentChoice) -> Finding:
    """Whether ``resource_limits.cpu`` is enforced."""
    if kind == "apptainer":
        return _weak("processors of commands in apptainer", "nothing enforces resource_limits.cpu")
    if cpus_are_limited(choice):
        return _ok("processors of commands", "a control group enforces resource_limits.cpu")
    return _weak(
        "processors of commands",
        "nothing enforces resource_limits.cpu, because no control group limits processors; let systemd "
        "delegate one (Delegate=yes, DelegateSubgroup=worker)",
    )


def _network(name: str, access: NetworkAccess, problem: str | None) -> Finding:
    """What commands with a network reach."""
    if problem:
        return _bad(name, problem)
    if access.shared:
        text = "commands reach the host's loopback and private addresses"
        return _weak(name, f"{text}; see sandbox.share_host_network")
    if name.startswith("sandbox"):
        return _ok(name, "commands have a network of their own, without private addresses")
    return _ok(name, access.engine_network or "that of the engine; it may reach private addresses")


def check_redis(facts: Callable[[], ServerFacts], *, wanted: bool) -> list[Finding]:
    """Check that Redis answers, evicts no keys, and has the same time.

    :param wanted: whether redis.url is set; without it a missing server is only a warning.
    """
    began = time.time()
    try:
        server = facts()
    except TeaError as error:
        return [(_bad if wanted else _weak)("redis", error.message)]
    found = [
        _bad("redis", server.problem)
        if server.problem
        else _ok("redis", f"{server.version}, evicts no keys")
    ]
    return [*found, *_clock("redis", server.seconds - began)]


def check_queue_key(state: Callable[[], Literal["same", "other", "unknown"]]) -> Finding:
    """Check that jobs of the planners can be verified on this host."""
    name = "queue key"
    try:
        match state():
            case "same":
                return _ok(name, "that of the planners")
            case "other":
                from tea_runner.broker.signing_key_fingerprint import OTHER_KEY

                return _bad(name, OTHER_KEY)
            case "unknown":
                return _weak(
                    name, "no planner has used this Redis; start one with: tea-runner planner"
                )
    except (TeaError, OSError) as error:
        return _weak(name, str(error))


def check_fleet(fleet: Callable[[], Fleet]) -> list[Finding]:
    """Check that planners and workers run."""
    try:
        all_of_them = fleet()
    except TeaError as error:
        return [_weak("processes", error.message)]
    heard = [each.kind for each in all_of_them.workers if each.state != "silent"]
    found = []
    for name, kind, lacking in (
        ("planner", "plan", "pushes wait; start one with: tea-runner planner"),
        ("workers", "job", "jobs wait; start one with: tea-runner worker"),
    ):
        number = heard.count(kind)
        found.append(_ok(name, str(number)) if number else _weak(name, f"none runs, so {lacking}"))
    if "job" in heard:
        found += [_weak("jobs", f"{lack.jobs} wait: {lack.reason}") for lack in all_of_them.lacking]
    found += [
        _weak(each.name, each.problem)
        for each in all_of_them.workers
        if each.problem and each.state != "silent"
    ]
    return found


def check_pauses(orders: Callable[[], Iterable[Order]]) -> list[Finding]:
    """Say what is paused, and by whom."""
    try:
        found = [order for order in orders() if order.kind == "pause"]
    except TeaError as error:
        return [_weak("pauses", error.message)]
    ends = "end it: tea-runner resume"
    return [
        _weak("pauses", f"{order.place} was paused by {order.by}; {ends} {_words(order)}")
        for order in found
    ]


def _words(order: Order) -> str:
    return f"{order.repository} {order.pipeline}".strip() or "--all"


def check_settings_read(
    processes: Callable[[], Iterable[ProcessFacts]], key: bytes, host: str
) -> list[Finding]:
    """Check that the processes of this host have read the settings and secrets as they are now.

    :param key: of the digests.
    """
    from tea_runner.wiring.settings_files import digest

    try:
        rows = [each for each in processes() if each.host == host]
    except TeaError as error:
        return [_weak("processes", error.message)]
    return [
        _weak(each.name, f"{path} has changed since it was read; run: kill -HUP {each.pid}")
        for each in rows
        for path, before in each.files.items()
        if digest(Path(path), key) not in ("", before)
    ]


def check_state(state: Path) -> list[Finding]:
    """Check that the state folder is writable and has free space and the time of this machine."""
    probe = state / f".tea-check.{os.getpid()}"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.write_bytes(b"x")
        written = probe.stat().st_mtime
        probe.unlink()
        free = shutil.disk_usage(state).free
    except OSError as error:
        text = f"{state} cannot be written: {error.strerror}"
        return [_bad("state folder", f"{text}; {how_to_write(error, 'state')}")]
    apart = _clock("state folder", written - time.time())
    if free < 1 << 30:
        return [
            _weak("state folder", f"{state} has {free >> 20} MiB left; free some space"),
            *apart,
        ]
    return [_ok("state folder", f"{state}, {free >> 30} GiB free"), *apart]


def _clock(whose: str, apart: float) -> list[Finding]:
    if abs(apart) < _APART:
        return [_ok("clock", f"same time as {whose}")]
    text = f"{abs(apart):.0f} s apart from {whose}; synchronise both with a time server (NTP)"
    return [_weak("clock", text)]


def _output(argv: Sequence[str], variables: Mapping[str, str]) -> str | None:
    """Output of a program, or None when it fails."""
    try:
        done = process.run(argv, env=variables, timeout=20, check=False)
    except TeaError:
        return None
    text = done.stdout.decode("utf-8", "replace").strip()
    return text if done.returncode == 0 else None


def _number(text: str) -> tuple[int, ...]:
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _ok(name: str, text: str) -> Finding:
    return Finding(name, "ok", text)


def _weak(name: str, text: str) -> Finding:
    return Finding(name, "warning", text)


def _bad(name: str, text: str) -> Finding:
    return Finding(name, "error", text)
