"""Seccomp filter for sandboxes: the BPF program that ``bwrap --seccomp`` reads (seccomp(2)).

The filter denies system calls that computations do not need but escapes use: other processes' memory,
mounts and namespaces, keyrings, kernel modules, BPF, io_uring, and the ioctls that push characters into a
terminal.  ``clone3`` fails with ENOSYS, so that libc falls back to ``clone``, whose flags a filter can read.
All calls of another ABI (32-bit programs, x32) fail with ENOSYS, because their numbers mean other calls.

Where the kernel reads 32 bits of an argument, only these are compared: a filter on the 64-bit ioctl number
is bypassed by setting an upper bit (CVE-2019-10063; for TIOCSTI see CVE-2017-5226).
"""

from __future__ import annotations

import errno
import functools
import struct
from dataclasses import dataclass

# Opcodes and offsets: linux/bpf_common.h, linux/filter.h, linux/seccomp.h
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000

# struct seccomp_data: nr, arch, instruction_pointer, args[6]; little-endian machines only
_NR = 0
_ARCH = 4


def _low(argument: int) -> int:
    return 16 + 8 * argument


#: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_NAMESPACES = (
    0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
)
_TIOCSTI = 0x5412
_TIOCLINUX = 0x541C
#: AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. Not AF_VSOCK, which no network namespace confines,
#: nor AF_ALG, AF_PACKET and the rest.
_FAMILIES = (1, 2, 10, 16)
_NETLINK = 16
_X32 = 0x40000000


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """System call numbers of a processor architecture."""

    audit: int
    clone: int
    clone3: int
    ioctl: int
    socket: int
    socketpair: int
    x32: bool
    denied: tuple[int, ...]


# System calls since Linux 5.0 have the same number on all architectures.
_COMMON = {
    "pidfd_getfd": 438,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "process_mrelease": 448,
    "statmount": 457,
    "listmount": 458,
    "open_tree_attr": 467,
}

_X86_64 = {
    "ptrace": 101,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "kcmp": 312,
    "mount": 165,
    "umount2": 166,
    "pivot_root": 155,
    "chroot": 161,
    "unshare": 272,
    "setns": 308,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "bpf": 321,
    "userfaultfd": 323,
    "perf_event_open": 298,
    "kexec_load": 246,
    "kexec_file_load": 320,
    "create_module": 174,
    "init_module": 175,
    "delete_module": 176,
    "finit_module": 313,
    "get_kernel_syms": 177,
    "query_module": 178,
    "name_to_handle_at": 303,
    "open_by_handle_at": 304,
    "swapon": 167,
    "swapoff": 168,
    "reboot": 169,
    "acct": 163,
    "quotactl": 179,
    "syslog": 103,
    "settimeofday": 164,
    "clock_settime": 227,
    "clock_adjtime": 305,
    "adjtimex": 159,
    "sethostname": 170,
    "setdomainname": 171,
    "iopl": 172,
    "ioperm": 173,
    "modify_ldt": 154,
    "uselib": 134,
    "ustat": 136,
    "sysfs": 139,
    "_sysctl": 156,
    "nfsservctl": 180,
    "lookup_dcookie": 212,
    "vhangup": 153,
    "fanotify_init": 300,
}

_AARCH64 = {
    "ptrace": 117,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "kcmp": 272,
    "mount": 40,
    "umount2": 39,
    "pivot_root": 41,
    "chroot": 51,
    "unshare": 97,
    "setns": 268,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "bpf": 280,
    "userfaultfd": 282,
    "perf_event_open": 241,
    "kexec_load": 104,
    "kexec_file_load": 294,
    "init_module": 105,
    "delete_module": 106,
    "finit_module": 273,
    "name_to_handle_at": 264,
    "open_by_handle_at": 265,
    "swapon": 224,
    "swapoff": 225,
    "reboot": 142,
    "acct": 89,
    "quotactl": 60,
    "syslog": 116,
    "settimeofday": 170,
    "clock_settime": 112,
    "clock_adjtime": 266,
    "adjtimex": 171,
    "sethostname": 161,
    "setdomainname": 162,
    "nfsservctl": 42,
    "lookup_dcookie": 18,
    "vhangup": 58,
    "fanotify_init": 262,
}

MACHINES = {
    "x86_64": Architecture(
        audit=0xC000003E,
        clone=56,
        clone3=435,
        ioctl=16,
        socket=41,
        socketpair=53,
        x32=True,
        denied=tuple(sorted((_X86_64 | _COMMON).values())),
    ),
    "aarch64": Architecture(
        audit=0xC00000B7,
        clone=220,
        clone3=435,
        ioctl=29,
        socket=198,
        socketpair=199,
        x32=False,
        denied=tuple(sorted((_AARCH64 | _COMMON).values())),
    ),
}


@functools.cache
def filter_program(machine: str) -> bytes:
    """The BPF program for a machine, named as by ``platform.machine()``.

    :raises KeyError: for a machine without a table of numbers.
    """
    numbers = MACHINES[machine]
    code: list[bytes] = []

    def emit(operation: int, value: int, when: int = 0, otherwise: int = 0) -> None:
        code.append(struct.pack("<HBBI", operation, when, otherwise, value))

    def fail(error: int) -> None:
        emit(_RETURN, _ERRNO | error)

    emit(_LOAD, _ARCH)
    emit(_EQUAL, numbers.audit, 1, 0)
    fail(errno.ENOSYS)
    emit(_LOAD, _NR)
    if numbers.x32:
        emit(_AT_LEAST, _X32, 0, 1)
        fail(errno.ENOSYS)
    emit(_EQUAL, numbers.clone3, 0, 1)
    fail(errno.ENOSYS)
    for number in numbers.denied:
        emit(_EQUAL, number, 0, 1)
        fail(errno.EPERM)
    # Each block below is skipped for other system calls.  Inside, the accumulator no longer holds the
    # number, so every path through a block returns.
    emit(_EQUAL, numbers.clone, 0, 5)
    emit(_LOAD, _low(0))
    emit(_AND, _NAMESPACES)
    emit(_EQUAL, 0, 1, 0)
    fail(errno.EPERM)
    emit(_RETURN, _ALLOW)
    emit(_EQUAL, numbers.ioctl, 0, 5)
    emit(_LOAD, _low(1))
    emit(_EQUAL, _TIOCSTI, 1, 0)
    emit(_EQUAL, _TIOCLINUX, 0, 1)
    fail(errno.EPERM)
    emit(_RETURN, _ALLOW)
    emit(_EQUAL, numbers.socket, 1, 0)
    emit(_EQUAL, numbers.socketpair, 0, 10)
    emit(_LOAD, _low(0))
    for index, family in enumerate(_FAMILIES[:-1]):
        # Jump to the RETURN ALLOW at the end of the block, past the other families and the netlink rule.
        emit(_EQUAL, family, 7 - index, 0)
    emit(_EQUAL, _NETLINK, 1, 0)
    fail(errno.EAFNOSUPPORT)
    emit(_LOAD, _low(2))
    emit(_EQUAL, 0, 1, 0)
    fail(errno.EPROTONOSUPPORT)
    emit(_RETURN, _ALLOW)
    emit(_RETURN, _ALLOW)
    return b"".join(code)
