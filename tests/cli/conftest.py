"""A Redis and a site for the verbs that look at a server."""

from __future__ import annotations

from tests.looking import broker, site

__all__ = ["broker", "site"]
