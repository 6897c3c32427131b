"""A Redis, a site, and requests to its pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

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


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser of this machine."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs chromium: apt install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program)
        yield browser
        browser.close()
