"""What a command with a network may reach: rules for its network namespace, made by pure functions.

The namespace has one interface, to a user-mode network stack (slirp4netns) that opens connections in the
worker's place.  A packet filter (nftables) in the namespace decides by destination, because routes do not:
a socket may choose its interface (SO_BINDTODEVICE, IP_PKTINFO), and then needs no route.  The command has no
capability to change the filter.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tea_runner.core.egress_allowlist import parse_open_address

#: The network between namespace and network stack: TEST-NET-2 (RFC 5737), which nobody uses.
SUBNET = "198.51.100.0/24"
#: Under this address the network stack would show the host's loopback, and here the host's resolver.
GATEWAY, NAMESERVER = "198.51.100.2", "198.51.100.3"
#: ``/etc/resolv.conf`` of the command.
RESOLV_CONF = f"nameserver {NAMESERVER}\n"

#: Addresses that are not of the public Internet (IANA, IPv4 Special-Purpose Address Registry; RFC 6890).
CLOSED = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkAccess:
    """The operator's decisions about the network of commands that may use one."""

    #: Whether commands share the host's own network.
    shared: bool = False
    #: Private addresses that are open: ``10.1.2.3``, ``10.1.0.0/16`` or ``10.1.2.3:9000``.
    allowed: tuple[str, ...] = ()
    #: Network of containers; empty means the engine's own.
    engine_network: str = ""


#: The default: a network of its own with all private addresses closed.
OWN_NETWORK = NetworkAccess()


def filter_rules(allowed: Sequence[str], own: Iterable[str]) -> str:
    """The packet filter of a command's network namespace, as nft(8) reads it.

    IPv6 is closed as a whole: the network stack does not have it.

    :param own: addresses and networks of this host, which are closed as well.
    """
    opened = [parse_open_address(entry) for entry in allowed]
    lines = [
        "table inet tea {",
        "chain out {",
        "type filter hook output priority 0; policy drop;",
        'oifname "lo" accept',
        "meta nfproto ipv6 reject with icmpx admin-prohibited",
    ]
    for protocol in ("udp", "tcp"):
        lines.append(f"ip daddr {NAMESERVER} {protocol} dport 53 accept")
    for entry in opened:
        if entry.port is None:
            lines.append(f"ip daddr {entry.network} accept")
        else:
            lines += [
                f"ip daddr {entry.network} {protocol} dport {entry.port} accept"
                for protocol in ("udp", "tcp")
            ]
    closed = ipaddress.collapse_addresses(ipaddress.IPv4Network(each) for each in (*CLOSED, *own))
    lines += [f"ip daddr {each} reject with icmpx admin-prohibited" for each in closed]
    return "\n".join([*lines, "accept", "}", "}", ""])


_LOCAL = re.compile(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL")


def own_networks(trie: str, routes: str) -> tuple[str, ...]:
    """Addresses of this host, and the networks that it is directly attached to.

    :param trie: ``/proc/net/fib_trie``.
    :param routes: ``/proc/net/route``.
    """
    found = {f"{address}/32" for address in _LOCAL.findall(trie)}
    for line in routes.splitlines()[1:]:
        _, destination, gateway, flags, _, _, _, mask, *_ = line.split()
        up, attached = int(flags, 16) & 1, int(gateway, 16) == 0
        bits = int(mask, 16).bit_count()
        if up and attached and bits:
            number = int.from_bytes(bytes.fromhex(destination), "little")
            found.add(f"{ipaddress.IPv4Address(number)}/{bits}")
    return tuple(sorted(found))
