"""Give a sandbox a network of its own, with slirp4netns(1) and a packet filter by nft(8)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
from collections.abc import Iterator
from pathlib import Path

from tea_runner.core.errors import OutsideError
from tea_runner.host import process
from tea_runner.sandbox.network_filter import SUBNET, NetworkAccess, filter_rules, own_networks

#: Where programs of administrators are, on systems that leave these out of users' ``PATH``.
SYSTEM_PATH = "/usr/sbin:/sbin"
_PROGRAMS = {"slirp4netns": "slirp4netns", "nft": "nftables", "nsenter": "util-linux"}
#: ioctl_ns(2): the user namespace that owns a namespace.
_NS_GET_USERNS = 0xB701
_SECONDS = 10.0


def missing_programs() -> str:
    """A sentence that names what to install for networks of commands; empty when all is there."""
    missing = [package for name, package in _PROGRAMS.items() if _program(name) is None]
    if not missing:
        return ""
    return (
        f"a network for commands needs {' and '.join(missing)}: install slirp4netns and nftables "
        f"(apt install slirp4netns nftables), or let commands share the host's network, with all "
        f"that listens on its loopback: sandbox.share_host_network = true"
    )


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PATH}")


@contextlib.contextmanager
def attached_network(pid: int, access: NetworkAccess) -> Iterator[None]:
    """A network for the block, in the network namespace of a process that waits for it.

    The filter is in force before the network is.  The process of the network ends at the end of a pipe, so
    also with this one.

    :raises OutsideError: when it cannot be made.
    """
    with contextlib.ExitStack() as stack:
        network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, network)
        owner = fcntl.ioctl(network, _NS_GET_USERNS)
        stack.callback(os.close, owner)
        _filter(network, owner, access)
        stack.enter_context(_carried(network, owner))
        yield


def _filter(network: int, owner: int, access: NetworkAccess) -> None:
    """Load the packet filter."""
    own = own_networks(
        Path("/proc/net/fib_trie").read_text("ascii"), Path("/proc/net/route").read_text("ascii")
    )
    child = process.start_process(
        [
            *_as_owner(owner),
            f"--net=/proc/self/fd/{network}",
            "--",
            _program("nft") or "nft",
            "-f",
            "-",
        ],
        env={"LC_ALL": "C"},
        cwd="/",
        stdin=process.PIPE,
        pass_fds=(network, owner),
    )
    try:
        _, said = child.communicate(filter_rules(access.allowed, own).encode(), timeout=_SECONDS)
    except process.Timeout as error:
        raise OutsideError("the packet filter of a command's network hangs: nft") from error
    finally:
        process.kill(child)
    if child.returncode:
        raise OutsideError(f"the packet filter of a command's network failed: {_words(said)}")


@contextlib.contextmanager
def _carried(network: int, owner: int) -> Iterator[None]:
    """Run the network stack for the block."""
    with contextlib.ExitStack() as stack:
        ready, ready_in = os.pipe()
        exit_out, exit_in = os.pipe()
        errors = stack.enter_context(open(os.memfd_create("errors"), "w+b"))
        for descriptor in (ready, exit_in):
            stack.callback(os.close, descriptor)
        try:
            carrier = process.start_process(
                [
                    *_as_owner(owner),
                    "--",
                    _program("slirp4netns") or "slirp4netns",
                    "--configure",
                    f"--cidr={SUBNET}",
                    "--disable-host-loopback",
                    "--enable-sandbox",
                    "--enable-seccomp",
                    f"--ready-fd={ready_in}",
                    f"--exit-fd={exit_out}",
                    "--netns-type=path",
                    f"/proc/self/fd/{network}",
                    "tea0",
                ],
                env={"LC_ALL": "C"},
                cwd="/",
                stdout=process.DEVNULL,
                stderr=errors,
                pass_fds=(ready_in, exit_out, network, owner),
            )
        finally:
            os.close(ready_in)
            os.close(exit_out)
        stack.callback(process.kill, carrier)
        if not select.select([ready], [], [], _SECONDS)[0] or not os.read(ready, 1):
            errors.seek(0)
            raise OutsideError(
                f"the network of a command could not be made: {_words(errors.read())}",
                hint="slirp4netns must be able to open /dev/net/tun",
            )
        yield


def _as_owner(owner: int) -> list[str]:
    """A command that executes another as root of a user namespace, with no rights outside it."""
    nsenter = _program("nsenter") or "nsenter"
    return [nsenter, "--preserve-credentials", f"--user=/proc/self/fd/{owner}"]


def _words(output: bytes) -> str:
    """The last lines of a program's errors."""
    return " ".join(output.decode("utf-8", "replace").split())[-300:] or "no message"
