"""Connections tried from inside a sandbox; writes one line of JSON with what each came to.

Its only argument is JSON: a list of [name, kind, address, port]; the standard library is all it needs.
"""

from __future__ import annotations

import json
import socket
import struct
import sys

#: SO_BINDTODEVICE, which an unbound socket of anybody may use, and IP_PKTINFO.
_BIND_TO_DEVICE, _PKTINFO = 25, 8


def interfaces() -> list[str]:
    """All interfaces but loopback."""
    return [name for _, name in socket.if_nameindex() if name != "lo"]


def tcp(address: str, port: int, *options: tuple[int, int, object]) -> str:
    """Connect, and return what the server says."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(1.5)
        for level, name, value in options:
            client.setsockopt(level, name, value)
        client.connect((address, port))
        return client.recv(100).decode("latin-1")


def udp(address: str, port: int, index: int = 0) -> str:
    """Send a packet, through an interface of choice, and return the answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1.5)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        about = [(socket.IPPROTO_IP, _PKTINFO, struct.pack("@I4s4s", index, b"\0" * 4, b"\0" * 4))]
        client.sendmsg([b"ping"], about if index else [], 0, (address, port))
        return client.recv(100).decode("latin-1")


def attempt(kind: str, address: str, port: int) -> str:
    """One connection of a kind."""
    device = (interfaces() or ["lo"])[0]
    if kind == "abstract":
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(1.5)
            client.connect("\0" + address)
            return client.recv(100).decode("latin-1")
    if kind == "tcp":
        return tcp(address, port)
    if kind == "bound":
        return tcp(address, port, (socket.SOL_SOCKET, _BIND_TO_DEVICE, device.encode()))
    if kind == "unrouted":
        return tcp(address, port, (socket.SOL_SOCKET, socket.SO_DONTROUTE, 1))
    if kind == "udp":
        return udp(address, port)
    if kind == "udp-bound":
        return udp(address, port, socket.if_nametoindex(device))
    if kind == "name":
        return socket.gethostbyname(address)
    raise ValueError(kind)


def main() -> None:
    """Try all, and say what happened."""
    said = {}
    for name, kind, address, port in json.loads(sys.argv[1]):
        try:
            said[name] = attempt(kind, address, port)
        except (OSError, ValueError) as error:
            said[name] = f"closed: {type(error).__name__} {error}"
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
