"""A Redis, a site, and requests to its pages."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tea_runner.wiring import Site
from tests.looking import broker, site
from tests.web.browser import make_client

__all__ = ["broker", "site"]


@pytest.fixture
def pages(site: Site) -> FlaskClient:
    """Requests without a server."""
    return make_client(site)
