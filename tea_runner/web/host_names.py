"""Host names under which the receiver and the pages are reached; requests for others are refused.

A site whose own name was bound to this address (DNS rebinding) makes a browser send that name in ``Host``.
"""

from __future__ import annotations

import ipaddress
import re
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from tea_runner.settings import Settings

_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


class HostNames:
    """The names of ``web.hosts``, of ``web.url`` and of this machine's loopback.

    Where the server listens on all addresses, every IP address is accepted as well: it does not know under
    which of them it is reached, and an address is no name that could be bound to another machine.
    """

    def __init__(self, settings: Settings) -> None:
        listens = settings.web.host.lower()
        of_url = (urlsplit(settings.web.url).hostname or "") if settings.web.url else ""
        self._patterns = (
            "localhost",
            *(name for name in (listens, of_url) if name),
            *(pattern.lower() for pattern in settings.web.hosts),
        )
        address = _address(listens)
        self._any_address = not listens or (address is not None and address.is_unspecified)

    def accepts(self, host: str) -> bool:
        """Whether requests with this ``Host`` header are answered; the port does not matter."""
        match = _HOST.fullmatch(host.lower())
        if match is None:
            return False
        name = match["name"].strip("[]")
        address = _address(name)
        if address is not None and (address.is_loopback or self._any_address):
            return True
        return any(fnmatchcase(name, pattern) for pattern in self._patterns)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
