"""Tokens that people make on a page: shown once, hashed, with a scope and an end; and the API's page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from tea_runner.broker import redis_keys
from tea_runner.core.access import AccessLevel
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, RUN, make_job, save
from tests.planner_at_work import planner_at_work
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import make_client, make_stranger, see
from tests.web.test_sign_in import csrf, sign_in


@pytest.fixture
def ada(site: Site) -> Iterator[FlaskClient]:
    """A browser in which ada, who may write to the repository, has signed in."""
    accounts = MemoryAccounts()
    accounts.add("ada", "ada-token")
    accounts.let("ada", REPOSITORY, AccessLevel.WRITE)
    vars(site)["accounts"] = accounts
    vars(site)["trusted_branches"] = lambda *_: ("main",)
    site.jobs.enqueue(make_job())
    save(site, [make_job()])
    browser = make_stranger(site)
    assert 303 == sign_in(browser)
    with planner_at_work(site):
        yield browser


def make(browser: FlaskClient, scope: str = "write", name: str = "ci", days: str = "7") -> str:
    """Fill in the form; returns the token that the page shows."""
    form = {"csrf": csrf(browser, "/tokens"), "name": name, "scope": scope, "days": days}
    answer = browser.post("/tokens", data=form)
    assert (200, "no-store") == (answer.status_code, answer.headers["Cache-Control"])
    found = re.search(r"<pre[^>]*><code>(tea_[\w-]+)</code>", answer.text)
    assert found
    return found[1]


def program(site: Site, token: str) -> FlaskClient:
    """Requests with a token."""
    client = make_stranger(site)
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def test_a_token_does_what_its_owner_may(site: Site, ada: FlaskClient) -> None:
    """In the name of the owner."""
    client = program(site, make(ada))
    assert 200 == client.get(f"/api/v1/runs/{RUN}").status_code
    assert 200 == client.post(f"/api/v1/runs/{RUN}/cancel").status_code
    job = make_job().id
    assert "ada" == site.jobs.facts([job])[job].cancelled_by


def test_a_token_with_the_scope_read_acts_on_nothing(site: Site, ada: FlaskClient) -> None:
    """Neither does that of an operator."""
    client = program(site, make(ada, "read"))
    listed = client.get("/api/v1/repositories").get_json()["repositories"]
    assert [(REPOSITORY, "read")] == [(row["name"], row["access"]) for row in listed]
    for path in (f"/api/v1/runs/{RUN}/cancel", f"/runs/{RUN}/cancel"):
        assert 403 == client.post(path).status_code
    operator = site.tokens.make("", {"operator": True}, name="x", scope="read", days=7)
    assert 200 == program(site, operator).get("/api/v1/workers").status_code
    assert 403 == program(site, operator).post("/api/v1/pause").status_code


def test_a_token_is_shown_once_and_kept_as_a_digest(site: Site, ada: FlaskClient) -> None:
    """Redis has neither it nor the credential of its owner."""
    token = make(ada)
    assert token not in ada.get("/tokens").text
    assert "ci" in see(ada, "/tokens").text
    for key in site.redis.keys("*"):
        assert token.encode() not in key
        kind: Any = site.redis.type(key)
        values: Any = site.redis.hvals(key) if kind == b"hash" else []
        values += [site.redis.get(key)] if kind == b"string" else []
        assert not any(token.encode() in value or b"ada-token" in value for value in values)


def test_a_revoked_or_expired_token_is_nobodys(site: Site, ada: FlaskClient) -> None:
    """From the next request on, and it leaves the list."""
    first, second = make(ada), make(ada, name="other")
    ids = {each.name: each.id for each in site.tokens.listed("ada")}
    ada.post("/tokens/revoke", data={"csrf": csrf(ada, "/tokens"), "id": ids["ci"]})
    assert 401 == program(site, first).get(f"/api/v1/runs/{RUN}").status_code
    assert 200 == program(site, second).get(f"/api/v1/runs/{RUN}").status_code
    site.redis.delete(redis_keys.token(ids["other"]))
    assert 401 == program(site, second).get(f"/api/v1/runs/{RUN}").status_code
    assert [] == list(site.tokens.listed("ada"))
    assert 401 == program(site, "tea_guess").get(f"/api/v1/runs/{RUN}").status_code


def test_nobody_revokes_the_tokens_of_others(site: Site, ada: FlaskClient) -> None:
    """Whoever knows their id."""
    token = site.tokens.make("bob", {"name": "bob"}, name="x", scope="read", days=7)
    (listed,) = site.tokens.listed("bob")
    ada.post("/tokens/revoke", data={"csrf": csrf(ada, "/tokens"), "id": listed.id})
    assert site.tokens.get(token) is not None


def test_no_token_makes_another(site: Site, ada: FlaskClient) -> None:
    """Nor does a request of another site, or a form without a name."""
    client = program(site, make(ada))
    form = {"name": "more", "scope": "write", "days": "7"}
    assert 403 == client.post("/tokens", data=form).status_code
    assert 403 == client.get("/tokens").status_code
    assert 403 == make_client(site).get("/tokens").status_code
    assert 403 == ada.post("/tokens", data=form).status_code
    for wrong in ({"name": " "}, {"scope": "all"}, {"days": "9999"}):
        data = {"csrf": csrf(ada, "/tokens"), **form, **wrong}
        assert 400 == ada.post("/tokens", data=data).status_code, wrong
    assert 1 == len(site.tokens.listed("ada"))


def test_the_page_of_the_api_describes_all_requests(site: Site) -> None:
    """For everybody, from the description of the code."""
    page = see(make_stranger(site), "/api")
    for words in ("GET /api/v1/runs/{run}/datums", "POST /api/v1/runs/{run}/approve", "per_page"):
        assert words in page.text, words
    assert "/api/v1/openapi.json" in page.links()


def test_the_page_of_the_api_reads_as_text(ada: FlaskClient) -> None:
    """Code has its letters, lines are joined, and what comes first is what is asked for."""
    page = see(ada, "/api")
    assert "``" not in page.text
    assert "\\x0a" not in page.text
    assert "text has a JSON string, and as its id the byte at which the next begins" in page.text
    assert "Answers: 200 CancelledDocument, 404 ErrorDocument" in page.text
