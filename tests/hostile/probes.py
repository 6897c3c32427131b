"""Escapes tried from inside a sandbox: each probe prints a line of JSON, with what it got or null.

Runs inside, with nothing but the standard library, each probe in a process of its own.  A probe
that raises, is killed, or returns something false was held; anything else got out.  The argument
is a JSON object that names what is outside: a file, a process, a port, sockets, shared memory.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import socket
import struct
import subprocess  # noqa: TID251 - this runs inside a sandbox, as anybody's program
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

OUTSIDE: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
#: Open before anything here was.
INHERITED = sorted(int(name) for name in os.listdir("/proc/self/fd"))[3:-1]
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
PROBES: dict[str, Callable[[], object]] = {}
#: Would do harm where they succeed: never tried outside of a sandbox.
HARMFUL: set[str] = set()


def probe(name: str, harmful: bool = False) -> Callable[[Callable[[], object]], None]:
    """Give a probe its name."""

    def keep(function: Callable[[], object]) -> None:
        PROBES[name] = function
        if harmful:
            HARMFUL.add(name)

    return keep


def call(*arguments: int | bytes | None) -> str:
    """A raw system call that must not succeed."""
    values = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    ctypes.set_errno(0)
    if LIBC.syscall(*values) < 0:
        raise OSError(ctypes.get_errno(), "held")
    return "the call succeeded"


def calls(harmful: bool = True, **numbers: tuple[int | bytes | None, ...]) -> None:
    """Probes that are one system call each."""
    for name, arguments in numbers.items():
        probe(f"syscall {name}", harmful)(lambda arguments=arguments: call(*arguments))


def refused_with(error: int, *arguments: int | bytes | None) -> str | None:
    """What a call answers instead of *error*: bad arguments must not be what stops it."""
    try:
        return call(*arguments)
    except OSError as answer:
        return None if answer.errno == error else f"answered {answer}"


def reads(name: str, *paths: str) -> None:
    """Probes that read files or list directories."""

    def read(path: str) -> object:
        return os.listdir(path) if Path(path).is_dir() else Path(path).read_bytes()[:80]

    for path in paths:
        probe(f"{name} {path}")(lambda path=path: str(read(path)) if read(path) else None)


def writes(name: str, *paths: str, harmful: bool = True) -> None:
    """Probes that write to files which are there, or make them."""

    def write(path: str) -> str:
        with open(path, "ab") as file:
            file.write(b"")
        return "it could be opened for writing"

    for path in paths:
        probe(f"{name} {path}", harmful)(lambda path=path: write(path))


# -- files ------------------------------------------------------------------------------------

reads("read", "/etc/shadow", "/home", "/var", "/run", "/srv", "/mnt", "/sys", "/boot")
reads("read", "/etc/hostname", "/etc/machine-id", "/etc/ssh", "/etc/resolv.conf", "/etc/fstab")
reads("read", "/proc/kcore", "/proc/kmsg", "/proc/timer_list", "/dev/mem", "/dev/kmsg", "/dev/fuse")
reads("read", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/kpagecount")
writes("write", "/usr/x", "/etc/x", "/x", "/dev/x", "/pfs/x", "/proc/x", "/etc/passwd", "/bin/sh")
writes("write", "/pfs/images/a.txt", "/pfs/images/new", "/dataset/new", "/dataset/tool.sh")
writes("write", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger")
writes("write", "/proc/sys/user/max_user_namespaces", "/proc/sys/kernel/hostname", "/proc/1/mem0")
probe("delete an input", True)(lambda: os.remove("/pfs/images/a.txt") or "deleted")
probe("rename an input", True)(lambda: os.rename("/pfs/images/a.txt", "/pfs/images/b") or "renamed")
probe("change an input's mode", True)(lambda: os.chmod("/pfs/images/a.txt", 0o777) or "changed")
probe("change an input's time", True)(lambda: os.utime("/pfs/images/a.txt", (0, 0)) or "changed")
probe("link an input into the outputs", True)(
    lambda: os.link("/pfs/images/a.txt", "/pfs/out/a.txt") or "linked"
)
probe("read outside by its path")(lambda: Path(OUTSIDE["file"]).read_text())
for _way in ("/proc/1/root", "/proc/1/cwd", "/proc/self/root/..", "/proc/self/cwd/../.."):
    probe(f"read outside by {_way}")(lambda way=_way: Path(way + OUTSIDE["file"]).read_text())


@probe("read outside by a descriptor of the first process")
def _() -> object:
    found = []
    for name in os.listdir("/proc/1/fd"):
        path = Path(f"/proc/1/fd/{name}")
        if path.is_dir():
            found.append(os.readlink(path))
    return found


probe("an inherited descriptor")(lambda: INHERITED)


@probe("read /root")
def _() -> object:
    # an interpreter that lives there is shown, and nothing beside it
    return [n for n in os.listdir("/root") if not any(f"/root/{n}" in p for p in OUTSIDE["shown"])]


@probe("make a device node")
def _() -> object:
    os.mknod("/pfs/out/null", 0o020666, os.makedev(1, 3))
    with open("/pfs/out/null", "rb"):
        return "it could be opened"


@probe("a block device")
def _() -> object:
    return [n for n in os.listdir("/dev") if n.startswith(("sd", "vd", "nvme", "loop", "kvm"))]


@probe("fill /tmp", True)
def _() -> object:
    with open("/tmp/big", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    return "64 MiB fit"


@probe("fill /dev/shm", True)
def _() -> object:
    with open("/dev/shm/big", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    return "64 MiB fit"


# -- mounts and namespaces: x86_64 numbers, and aarch64 has its own --------------------------------

_X86 = os.uname().machine == "x86_64"


def _number(x86: int, arm: int) -> int:
    return x86 if _X86 else arm


_MOUNT = _number(165, 40)
calls(
    mount=(_MOUNT, b"none", b"/tmp", b"tmpfs", 0, None),
    mount_proc=(_MOUNT, b"proc", b"/tmp", b"proc", 0, None),
    mount_bind=(_MOUNT, b"/usr", b"/tmp", None, 4096, None),
    umount_input=(_number(166, 39), b"/pfs/images", 2),
    umount_proc=(_number(166, 39), b"/proc", 2),
    pivot_root=(_number(155, 41), b"/tmp", b"/tmp"),
    chroot=(_number(161, 51), b"/tmp"),
    open_tree=(428, -100, b"/usr", 1),
    fsopen=(430, b"tmpfs", 0),
    mount_setattr=(442, -100, b"/usr", 0, b"\0" * 32, 32),
    unshare_user=(_number(272, 97), 0x10000000),
    unshare_mount=(_number(272, 97), 0x00020000),
    unshare_net=(_number(272, 97), 0x40000000),
    unshare_pid=(_number(272, 97), 0x20000000),
    unshare_ipc=(_number(272, 97), 0x08000000),
    unshare_uts=(_number(272, 97), 0x04000000),
    unshare_time=(_number(272, 97), 0x00000080),
    clone_user=(_number(56, 220), 0x10000000 | 17, 0, 0, 0, 0),
    clone_mount=(_number(56, 220), 0x00020000 | 17, 0, 0, 0, 0),
    clone3_user=(435, struct.pack("<11Q", 0x10000000, *[0] * 3, 17, *[0] * 6), 88),
    sethostname=(_number(170, 161), b"x", 1),
    setdomainname=(_number(171, 162), b"x", 1),
)


@probe("remount /usr writable", True)
def _() -> object:
    call(_MOUNT, b"none", b"/usr", None, 0x1000 | 0x20, None)
    Path("/usr/tea-escaped").touch()
    return "the host's /usr was written to"


@probe("enter another namespace")
def _() -> object:
    got = []
    for name in ("mnt", "net", "pid", "user", "ipc", "uts"):
        descriptor = os.open(f"/proc/1/ns/{name}", os.O_RDONLY)
        if LIBC.syscall(_number(308, 268), descriptor, 0) == 0:
            got.append(name)
    return got


# -- the kernel's other doors: the filter must answer, not the arguments --------------------------

_DOORS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "pidfd_getfd": (438, 438),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "swapon": (167, 224),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "move_mount": (429, 429),
    "fsconfig": (431, 431),
    "fspick": (433, 433),
    "setns": (308, 268),
    "fanotify_init": (300, 262),
    "vhangup": (153, 58),
    "process_madvise": (440, 440),
}
for _name, _numbers in _DOORS.items():
    probe(f"filter {_name}", True)(lambda n=_numbers: refused_with(1, _number(*n), -1, 0, 0, 0, 0))
probe("filter clone3", True)(lambda: refused_with(38, 435, None, 0))
probe("filter reboot", True)(lambda: refused_with(1, _number(169, 142), 0, 0, 0))
if _X86:
    for _name, _one in {"iopl": 172, "ioperm": 173, "modify_ldt": 154, "uselib": 134}.items():
        probe(f"filter {_name}", True)(lambda n=_one: refused_with(1, n, 3, 0, 0))
    probe("filter x32", True)(lambda: refused_with(38, 0x40000000 | 39))

    @probe("filter 32-bit calls")
    def _() -> object:
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, getpid; int 0x80; ret
        address = ctypes.addressof(ctypes.c_char.from_buffer(code))
        answer = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
        return None if answer == -38 else f"answered {answer}"


for _name, _request in {"TIOCSTI": 0x5412, "TIOCSTI with an upper bit": 0x100005412}.items():

    @probe(f"push characters into a terminal by {_name}")
    def _(request: int = _request) -> object:
        _, terminal = os.openpty()
        return call(_number(16, 29), terminal, request, b"x")


# -- who one is ---------------------------------------------------------------------------------

probe("become root", True)(lambda: os.setuid(0) or "root")
probe("become root's group", True)(lambda: os.setgid(0) or "root")
probe("become another user", True)(lambda: os.setresuid(1, 1, 1) or "another")
probe("take groups", True)(lambda: os.setgroups([0, 4, 27]) or "taken")
probe("lower the badness for the OOM killer")(
    lambda: Path("/proc/self/oom_score_adj").write_text("-1000")
)
probe("a higher priority", True)(lambda: os.setpriority(os.PRIO_PROCESS, 0, -10) or "higher")
probe("real time", True)(
    lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10)) or "real time"
)


@probe("a capability")
def _() -> object:
    lines = Path("/proc/self/status").read_text().splitlines()
    return [line for line in lines if line.startswith("Cap") and int(line.split()[1], 16)]


@probe("new privileges by a setuid program")
def _() -> object:
    return "NoNewPrivs:\t1" not in Path("/proc/self/status").read_text()


for _limit in ("NOFILE", "NPROC", "CORE", "FSIZE"):

    @probe(f"raise the limit {_limit}", True)
    def _(name: str = _limit) -> object:
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY:
            return "there is none"
        resource.setrlimit(kind, (hard + 1, hard + 1))
        return "raised"


# -- others --------------------------------------------------------------------------------------

probe("see a process outside")(
    lambda: b"sleep" in Path(f"/proc/{OUTSIDE['process']}/cmdline").read_bytes()
)
probe("signal a process outside")(lambda: os.kill(OUTSIDE["process"], 0) or "it is there")
probe("see more than the sandbox's processes")(
    lambda: len([name for name in os.listdir("/proc") if name.isdigit()]) > 10
)
probe("the worker's secrets in the first process")(
    lambda: b"CANARY" in Path("/proc/1/environ").read_bytes()
)
probe("the worker's secrets in variables")(lambda: [n for n in os.environ if "CANARY" in n])
probe("names of users")(lambda: len(Path("/etc/passwd").read_text().splitlines()) > 2)
probe("the host's name")(lambda: socket.gethostname() != "sandbox")


def connect(family: int, address: Any, kind: int = socket.SOCK_STREAM) -> str:
    """Reach a listener outside."""
    with socket.socket(family, kind) as client:
        client.settimeout(2)
        client.connect(address)
        if kind == socket.SOCK_DGRAM:
            client.send(b"x")
    return "connected"


probe("connect to a port of the host")(
    lambda: connect(socket.AF_INET, ("127.0.0.1", OUTSIDE["port"]))
)
probe("connect to an abstract socket")(lambda: connect(socket.AF_UNIX, "\0" + OUTSIDE["abstract"]))
probe("connect to a socket by its path")(lambda: connect(socket.AF_UNIX, OUTSIDE["socket"]))
probe("connect to docker")(lambda: connect(socket.AF_UNIX, "/var/run/docker.sock"))
probe("send to an address")(lambda: connect(socket.AF_INET, ("192.0.2.1", 9), socket.SOCK_DGRAM))
probe("ask a metadata service")(lambda: connect(socket.AF_INET, ("169.254.169.254", 80)))
probe("attach shared memory of the host")(lambda: LIBC.shmget(OUTSIDE["memory"], 4096, 0o666) >= 0)
for _name, _triple in {
    "vsock": (40, 1, 0),
    "packet": (17, 3, 0),
    "alg": (38, 5, 0),
    "bluetooth": (31, 3, 0),
    "raw": (2, 3, 1),
    "audit": (16, 3, 9),
    "netfilter": (16, 3, 12),
    "can": (29, 3, 1),
    "xdp": (44, 3, 0),
    "key": (15, 3, 2),
    "uevent": (16, 3, 15),
}.items():
    probe(f"a socket of {_name}")(lambda t=_triple: socket.socket(*t).close() or "opened")


@probe("run a setuid program", True)
def _() -> object:
    done = subprocess.run(["su", "-c", "id -u"], input=b"", capture_output=True, timeout=5)
    return done.stdout.strip() == b"0"


def main() -> None:
    """Try each, and say what it got."""
    only = sys.argv[2:]
    for name in only or PROBES:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                got = PROBES[name]()
                os.write(writing, repr(got).encode()[:200] if got else b"")
            except BaseException:
                pass
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as pipe:
            got = pipe.read().decode("utf-8", "replace")
        os.waitpid(child, 0)
        os.write(1, json.dumps({name: got or None}).encode() + b"\n")


if __name__ == "__main__":
    main()
