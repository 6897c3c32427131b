"""What a sandbox shall be in, the arguments of ``bwrap`` out: pure, and nobody else makes them.

Bubblewrap is as strong as its arguments, says its own README; so they are made here, in one
function with a golden test, and nothing outside adds to them.

The options are handed over on a descriptor (``--args``), not on the command line, so that variables
with secrets are not shown by ``ps``; and as options, not by inheritance, so that a pipeline's
``LD_PRELOAD`` is never loaded into ``bwrap`` itself, which runs outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The user inside, whoever runs it outside.
USER = 65534


@dataclass(frozen=True, kw_only=True, slots=True)
class Bind:
    """A host path shown inside."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxLayout:
    """One sandbox. Descriptors are numbers of open files that ``bwrap`` inherits."""

    #: The system's own directories: ``/usr``, pieces of ``/etc``, interpreters.
    system: tuple[Bind, ...]
    #: Symlinks of the root directory: ``/bin`` to ``usr/bin``.
    links: tuple[tuple[str, str], ...]
    #: Files made for this sandbox: the descriptor with their content, and their path.
    files: tuple[tuple[int, str], ...]
    #: The command's own: inputs, outputs, code.
    binds: tuple[Bind, ...]
    env: Mapping[str, str]
    cwd: str
    scratch: int
    network: bool
    #: The caller is root and will map an ordinary user; otherwise ``bwrap`` maps the caller.
    mapped: bool
    seccomp: int
    status: int
    #: Where ``bwrap`` waits until limits (and the map of users) are set.
    gate: int
    #: Anything that can be written to.
    null: int


#: Kept for ``setpriv`` alone, which turns into the ordinary user and gives them up.
_TO_BECOME_NOBODY = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")


def options(sandbox: SandboxLayout) -> tuple[str, ...]:
    """All options of ``bwrap``, up to the command."""
    made: set[str] = {"/", "/proc", "/dev", "/tmp"}  # noqa: S108 - inside
    result = [
        "--unshare-all",
        "--unshare-user",
        "--die-with-parent",
        "--new-session",
        "--hostname",
        "sandbox",
        "--clearenv",
        "--cap-drop",
        "ALL",
    ]
    if sandbox.network:
        result += ["--share-net"]
    if sandbox.mapped:
        for capability in _TO_BECOME_NOBODY:
            result += ["--cap-add", capability]
        result += ["--userns-block-fd", str(sandbox.gate), "--info-fd", str(sandbox.null)]
    else:
        result += ["--disable-userns", "--uid", str(USER), "--gid", str(USER)]
    result += ["--block-fd", str(sandbox.gate), "--json-status-fd", str(sandbox.status)]
    result += ["--seccomp", str(sandbox.seccomp)]
    result += ["--proc", "/proc", "--dev", "/dev"]
    # bwrap's /dev and its /dev/shm are a tmpfs without a size
    result += ["--perms", "1777", "--size", str(max(sandbox.scratch // 4, 4096))]
    result += ["--tmpfs", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
    result += ["--perms", "1777", "--size", str(sandbox.scratch), "--tmpfs", "/tmp"]  # noqa: S108
    for bind in sandbox.system:
        result += _above(bind.target, made) + _bind(bind)
    for name, target in sandbox.links:
        result += ["--symlink", target, name]
    for descriptor, path in sandbox.files:
        result += [*_above(path, made), "--perms", "0444", "--ro-bind-data", str(descriptor), path]
    for bind in sandbox.binds:
        result += _above(bind.target, made) + _bind(bind)
    result += ["--remount-ro", "/"]
    for name, value in sorted(sandbox.env.items()):
        result += ["--setenv", name, value]
    return (*result, "--chdir", sandbox.cwd)


def _bind(bind: Bind) -> list[str]:
    return ["--bind" if bind.writable else "--ro-bind", bind.source, bind.target]


def _above(path: str, made: set[str]) -> list[str]:
    """The directories above *path*, open to all; bwrap would make them for their owner only."""
    result: list[str] = []
    parts = path.split("/")[1:-1]
    for depth in range(1, len(parts) + 1):
        parent = "/" + "/".join(parts[:depth])
        if parent not in made:
            made.add(parent)
            result += ["--perms", "0755", "--dir", parent]
    return result


#: Variables that libc obeys before a program's own first line.
_OBEYED = ("LD_", "GLIBC_", "MALLOC_")
_OBEYED_NAMES = frozenset(
    {
        "GCONV_PATH",
        "GETCONF_DIR",
        "HOSTALIASES",
        "LOCALDOMAIN",
        "LOCPATH",
        "NIS_PATH",
        "NLSPATH",
        "RESOLV_HOST_CONF",
        "RES_OPTIONS",
        "TZDIR",
    }
)


def command(argv: tuple[str, ...], env: Mapping[str, str], *, mapped: bool) -> tuple[str, ...]:
    """What ``bwrap`` starts: *argv*, where root started it behind ``setpriv``.

    ``setpriv`` becomes the ordinary user and is then replaced by the command, so that it is no
    process more.  Until then it may change its user: variables that could steer it are set after.
    """
    if not mapped:
        return argv
    late = tuple(f"{name}={env[name]}" for name in sorted(env) if obeyed(name))
    return (
        "/usr/bin/setpriv",
        f"--reuid={USER}",
        f"--regid={USER}",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "--",
        *(("/usr/bin/env", *late) if late else ()),
        *argv,
    )


def early(env: Mapping[str, str], *, mapped: bool) -> dict[str, str]:
    """The variables that ``bwrap`` itself sets for the command."""
    return {name: value for name, value in env.items() if not (mapped and obeyed(name))}


def obeyed(name: str) -> bool:
    """Whether a variable changes how any program is loaded."""
    return name.startswith(_OBEYED) or name in _OBEYED_NAMES
