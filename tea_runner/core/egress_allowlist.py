"""Addresses that the operator opens to commands: ``10.1.2.3``, ``10.1.0.0/16`` or ``10.1.2.3:9000``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_OPEN = re.compile(r"([0-9.]+(?:/[0-9]{1,2})?)(?::([0-9]{1,5}))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenAddress:
    """An IPv4 address or network that is open, at one port or, with None, at all."""

    network: ipaddress.IPv4Network
    port: int | None


def parse_open_address(text: str) -> OpenAddress:
    """Read an entry of ``sandbox.allowed_addresses``.

    :raises ValueError: when it is none.
    """
    match = _OPEN.fullmatch(text)
    port = int(match[2]) if match and match[2] else None
    if match is None or (port is not None and not 0 < port < 65536):
        raise ValueError(text)
    return OpenAddress(network=ipaddress.IPv4Network(match[1]), port=port)
