"""A Redis for the adapters that speak to one."""

from __future__ import annotations

from tests.looking import broker, site

__all__ = ["broker", "site"]
