"""Addresses of servers as text: host and port, with brackets around an IPv6 address (RFC 3986)."""

from __future__ import annotations

#: Hosts that stand for all addresses of a machine, for a server that listens.
_ALL_ADDRESSES = ("", "0.0.0.0", "::")  # noqa: S104 - names, not a choice


def format_address(host: str, port: int) -> str:
    """``host:port``, as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def local_host(host: str) -> str:
    """A host at which the machine itself reaches a server that listens on *host*."""
    return "127.0.0.1" if host in _ALL_ADDRESSES else host
