"""The command line of ``bwrap``, made by pure functions.

Bubblewrap is as secure as its arguments (its README, "Sandbox security").  So all of them are made here,
and a golden test compares them.

The options are passed on a descriptor (``--args``), not on the command line, so that ``ps`` does not show
variables with secrets.  Variables are options (``--setenv``), not inherited, so that a pipeline's
``LD_PRELOAD`` is not loaded into ``bwrap`` itself, which runs outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: User and group id inside, whatever they are outside: nobody.
USER = 65534


@dataclass(frozen=True, kw_only=True, slots=True)
class Bind:
    """A bind mount of a host path."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxLayout:
    """One sandbox. Descriptors are of open files that ``bwrap`` inherits."""

    #: Of the system: ``/usr``, parts of ``/etc``, interpreters.
    system: tuple[Bind, ...]
    #: Symbolic links of the root directory: (``/bin``, ``usr/bin``).
    links: tuple[tuple[str, str], ...]
    #: Files made for this sandbox: descriptor of the content, and path.
    files: tuple[tuple[int, str], ...]
    #: Of the command: inputs, outputs, code.
    binds: tuple[Bind, ...]
    env: Mapping[str, str]
    cwd: str
    #: Devices of the host that the command may use.
    devices: tuple[str, ...] = ()
    #: Bytes of ``/tmp``.
    scratch: int
    #: Whether the host's network is shared.
    network: bool
    #: Whether the caller is root and writes the user map; otherwise ``bwrap`` maps the caller.
    mapped: bool
    seccomp: int
    status: int
    #: ``bwrap`` waits for bytes from it until limits and user map are set.
    gate: int
    #: ``/dev/null``, open for writing.
    null: int


#: Capabilities that ``setpriv`` needs to change its user; it drops them with that.
_SETPRIV_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")


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
        for capability in _SETPRIV_CAPABILITIES:
            result += ["--cap-add", capability]
        result += ["--userns-block-fd", str(sandbox.gate), "--info-fd", str(sandbox.null)]
    else:
        result += ["--disable-userns", "--uid", str(USER), "--gid", str(USER)]
    result += ["--block-fd", str(sandbox.gate), "--json-status-fd", str(sandbox.status)]
    result += ["--seccomp", str(sandbox.seccomp)]
    result += ["--proc", "/proc", "--dev", "/dev"]
    # The tmpfs of bwrap's --dev has no size limit.
    result += ["--perms", "1777", "--size", str(max(sandbox.scratch // 4, 4096))]
    result += ["--tmpfs", "/dev/shm"]  # noqa: S108
    for device in sandbox.devices:
        result += ["--dev-bind-try", device, device]
    result += ["--remount-ro", "/dev"]
    result += ["--perms", "1777", "--size", str(sandbox.scratch), "--tmpfs", "/tmp"]  # noqa: S108
    for bind in sandbox.system:
        result += _parents(bind.target, made) + _bind(bind)
    for name, target in sandbox.links:
        result += ["--symlink", target, name]
    for descriptor, path in sandbox.files:
        result += [
            *_parents(path, made),
            "--perms",
            "0444",
            "--ro-bind-data",
            str(descriptor),
            path,
        ]
    for bind in sandbox.binds:
        result += _parents(bind.target, made) + _bind(bind)
    result += ["--remount-ro", "/"]
    for name, value in sorted(sandbox.env.items()):
        result += ["--setenv", name, value]
    return (*result, "--chdir", sandbox.cwd)


def gpu_devices(gpus: tuple[int, ...]) -> tuple[str, ...]:
    """The devices of NVIDIA's driver for these graphics processors."""
    shared = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools") if gpus else ()
    return tuple(f"/dev/{name}" for name in (*(f"nvidia{number}" for number in gpus), *shared))


def _bind(bind: Bind) -> list[str]:
    return ["--bind" if bind.writable else "--ro-bind", bind.source, bind.target]


def _parents(path: str, made: set[str]) -> list[str]:
    """Make the directories above *path* with mode 0755; bwrap itself makes them with 0700."""
    result: list[str] = []
    parts = path.split("/")[1:-1]
    for depth in range(1, len(parts) + 1):
        parent = "/" + "/".join(parts[:depth])
        if parent not in made:
            made.add(parent)
            result += ["--perms", "0755", "--dir", parent]
    return result


#: Variables that change how the dynamic loader and libc start any program (ld.so(8), "secure-execution").
_LOADER_PREFIXES = ("LD_", "GLIBC_", "MALLOC_")
_LOADER_NAMES = frozenset(
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
    """The command that ``bwrap`` executes: *argv*, with ``setpriv`` before it when root is mapped.

    ``setpriv`` changes to the unprivileged user and executes the command in its place.  Until then it has
    capabilities, so variables that change how it is loaded are set by ``env`` after it.
    """
    if not mapped:
        return argv
    loader = tuple(f"{name}={env[name]}" for name in sorted(env) if is_loader_variable(name))
    return (
        "/usr/bin/setpriv",
        f"--reuid={USER}",
        f"--regid={USER}",
        "--clear-groups",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "--",
        *(("/usr/bin/env", *loader) if loader else ()),
        *argv,
    )


def bwrap_environment(env: Mapping[str, str], *, mapped: bool) -> dict[str, str]:
    """The variables that ``bwrap`` sets; :func:`command` sets the others."""
    return {name: value for name, value in env.items() if not (mapped and is_loader_variable(name))}


def is_loader_variable(name: str) -> bool:
    """Whether a variable changes how any program is started."""
    return name.startswith(_LOADER_PREFIXES) or name in _LOADER_NAMES
