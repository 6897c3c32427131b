"""``Link`` header of a paged list (RFC 8288)."""

from __future__ import annotations

from requests.utils import parse_header_links


def next_page(header: str) -> str:
    """The URL with ``rel="next"``, empty on the last page."""
    for link in parse_header_links(header):
        if link.get("rel") == "next":
            return str(link.get("url", ""))
    return ""
