"""Pages as a careful browser sees them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient

from tea_runner.web.access_dependencies import access_dependencies
from tea_runner.web.api.openapi import api_blueprint
from tea_runner.web.app import WebDependencies, create_app
from tea_runner.web.metrics import metrics_blueprint
from tea_runner.web.repository_pages import pages_blueprint
from tea_runner.web.sign_in import sign_in_blueprint
from tea_runner.wiring import Site


def make_client(site: Site) -> FlaskClient:
    """Requests of the operator to this site's pages."""
    client = make_stranger(site)
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {site.pages_token}"
    return client


def make_stranger(site: Site) -> FlaskClient:
    """Requests of somebody who has not signed in."""
    parts = WebDependencies(
        settings=site.settings,
        webhooks=site.webhooks,
        requests=site.jobs,
        blueprints=(
            pages_blueprint(site),
            api_blueprint(site),
            sign_in_blueprint(site),
            metrics_blueprint(site),
        ),
        access=access_dependencies(site),
    )
    return create_app(parts).test_client()


class Page(HTMLParser):
    """What a browser would make of a page, as far as it matters here."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the tag and its attributes."""
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data

    def links(self) -> list[str]:
        """Where the page leads and what it loads."""
        return [value for _, name, value in self.attributes if name in ("href", "src", "action")]


def see(client: FlaskClient, path: str, status: int = 200) -> Page:
    """A page, checked as all pages are: no script and no style of its own, no harm in its links."""
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", answer.text)
    page = Page(answer.text)
    scripts = [(name, value) for tag, name, value in page.attributes if tag == "script"]
    assert [("src", "/static/live.js"), ("defer", "")] == [
        (name, value.removeprefix("/tea")) for name, value in scripts
    ]
    assert not {"style", "iframe", "object", "embed", "img", "base"} & set(page.tags)
    for _, name, value in page.attributes:
        assert name != "style"
        assert not name.startswith("on")
        if name in ("href", "src", "action"):
            assert value.startswith(("/", "#", "http://forge.example:3000/"))
    assert "Same on the command line: tea-runner " in page.text
    return page


def data(client: FlaskClient, path: str, status: int = 200) -> Any:
    """A page's twin."""
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    return answer.get_json()
