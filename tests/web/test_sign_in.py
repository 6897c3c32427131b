"""Signing in and out: sessions, their cookies, and forms that other sites cannot send."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tea_runner.broker import redis_keys
from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.access import AccessLevel
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, make_job, make_site, save
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import make_stranger


@pytest.fixture
def browser(site: Site) -> FlaskClient:
    """A browser of somebody who has not signed in; ``ada`` is an account."""
    _let_ada_in(site)
    return make_stranger(site)


def _let_ada_in(site: Site) -> None:
    accounts = MemoryAccounts()
    accounts.add("ada", "ada-token")
    accounts.let("ada", REPOSITORY, AccessLevel.READ)
    vars(site)["accounts"] = accounts
    save(site, [make_job()])


def csrf(browser: FlaskClient, path: str = "/sign-in") -> str:
    """The token of the forms on a page."""
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(path).text)
    assert found
    return found[1]


def sign_in(browser: FlaskClient, token: str = "ada-token", **more: str) -> int:
    """Fill in the form; returns the status."""
    form = {"csrf": csrf(browser), "token": token, **more}
    return browser.post("/sign-in", data=form).status_code


def test_a_token_of_the_forge_signs_in_and_the_button_out(browser: FlaskClient) -> None:
    """The page then says who is there."""
    assert 303 == sign_in(browser)
    page = browser.get("/")
    assert (200, True, True) == (page.status_code, REPOSITORY in page.text, "ada" in page.text)
    browser.post("/sign-out", data={"csrf": csrf(browser, "/")})
    assert 401 == browser.get("/").status_code


def test_passwords_are_not_tried_out(browser: FlaskClient, site: Site) -> None:
    """Ten failures of a name from one address are enough for a quarter of an hour, whatever comes next."""
    tried = [sign_in(browser, "wrong", user="ada") for _ in range(11)]
    assert [403] * 10 + [429] == tried
    assert 429 == sign_in(browser, user="ADA")
    assert 303 == sign_in(browser)
    keys = site.redis.keys("*sign-in:*")
    assert ([], 3) == ([key for key in keys if b"ada" in key], len(keys))
    assert all(0 < site.redis.ttl(key) <= 900 for key in keys)


def test_an_address_does_not_try_out_tokens(browser: FlaskClient, site: Site) -> None:
    """It waits after a hundred failures."""
    site.sign_in_attempts.count({"address 127.0.0.1": 100})
    for key in site.redis.keys("*sign-in:*"):
        site.redis.hset(key, "failed", 100)
    assert 429 == sign_in(browser)


def test_a_wrong_token_does_not_sign_in(browser: FlaskClient) -> None:
    """It is said, and the page stays."""
    assert 403 == sign_in(browser, "wrong")
    assert 401 == browser.get("/").status_code


def test_the_address_that_up_prints_signs_the_operator_in(site: Site, browser: FlaskClient) -> None:
    """The token leaves the address at once, and works on each page."""
    answer = browser.get("/workers", query_string={"a": "1", "token": site.pages_token})
    assert (303, "/workers?a=1") == (answer.status_code, answer.location)
    assert "operator" in browser.get("/workers").text
    assert 401 == make_stranger(site).get("/workers?token=wrong").status_code


def test_a_form_of_another_site_is_refused(browser: FlaskClient) -> None:
    """Without the session's token, with a wrong one, or with one of another browser; also the sign-in."""
    assert 303 == sign_in(browser)
    other = csrf(make_stranger_like(browser))
    for form in ({}, {"csrf": ""}, {"csrf": "x"}, {"csrf": other}):
        assert 403 == browser.post("/sign-out", data=form).status_code
        assert 403 == browser.post("/sign-in", data={**form, "token": "ada-token"}).status_code
    assert 200 == browser.get("/").status_code


def make_stranger_like(browser: FlaskClient) -> FlaskClient:
    """Another browser."""
    return browser.application.test_client()


def test_a_session_begins_with_a_new_id(site: Site, browser: FlaskClient) -> None:
    """A cookie that somebody planted before is worth nothing afterwards."""
    assert 303 == sign_in(browser)
    with browser.session_transaction() as before:
        old = before["id"]
    assert 303 == sign_in(browser)
    with browser.session_transaction() as after:
        assert old != after["id"]
    assert site.sessions.get(old) is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("", "tea-runner-1706"),
        ("https://tea.example.org", "__Host-tea-runner"),
        ("https://tea.example.org/tea", "__Secure-tea-runner"),
    ],
)
def test_the_cookie_is_for_this_server_only(
    broker: RedisServer, tmp_path: Path, url: str, name: str
) -> None:
    """No script reads it, no other site sends it, and TLS is kept."""
    site = make_site(broker, tmp_path, web__url=url)
    answer = make_stranger(site).get("/", query_string={"token": site.pages_token})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{name}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Expires=" in cookie
    assert bool(url) == ("Secure" in cookie.partition("=")[2])


def test_sessions_end(broker: RedisServer, tmp_path: Path) -> None:
    """After the time of the settings, in Redis and in the browser."""
    site = make_site(broker, tmp_path, pages__session="2 min")
    site.redis.flushall()
    name = site.sessions.begin({"name": "ada"})
    left = [site.redis.ttl(key) for key in site.redis.keys(redis_keys.session("*"))]
    assert all(0 < seconds <= 120 for seconds in left)
    site.sessions.end(name)
    assert site.sessions.get(name) is None


def test_redis_shows_no_credential_and_makes_no_session(site: Site) -> None:
    """Values are sealed for one session of one server."""
    name = site.sessions.begin({"credential": "token canary-credential"})
    other = site.sessions.begin({"operator": True})
    keys = site.redis.keys(redis_keys.session("*"))
    values: list[Any] = [site.redis.get(key) for key in keys]
    assert not any(b"canary" in value or name.encode() in value for value in values)
    assert not any(name.encode() in key for key in keys)
    mine, its = sorted(keys, key=lambda key: len(site.redis.get(key)), reverse=True)
    site.redis.set(mine, site.redis.get(its))
    assert site.sessions.get(name) is None
    assert {"operator": True} == site.sessions.get(other)
    site.redis.set(its, b'{"operator": true}')
    assert site.sessions.get(other) is None


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "", "/\nx"]
)
def test_nobody_is_sent_to_another_site(browser: FlaskClient, target: str) -> None:
    """The start page comes instead."""
    form = {"csrf": csrf(browser), "token": "ada-token", "next": target}
    assert "/" == browser.post("/sign-in", data=form).location


def test_the_page_that_was_asked_for_comes_after_the_sign_in(browser: FlaskClient) -> None:
    """With its filters."""
    asked = browser.get(f"/repos/{REPOSITORY}?state=failed", headers={"Accept": "text/html"})
    found = re.search(r'name="next" value="([^"]+)"', browser.get(asked.location).text)
    assert found
    form = {"csrf": csrf(browser), "token": "ada-token", "next": found[1]}
    assert f"/repos/{REPOSITORY}?state=failed" == browser.post("/sign-in", data=form).location


def test_passwords_are_taken_where_the_settings_say_so(site: Site, browser: FlaskClient) -> None:
    """Otherwise nobody is invited to type that of a forge here."""
    assert 'type="password" name="password"' not in browser.get("/sign-in").text
    form = {"csrf": csrf(browser), "user": "ada", "password": "x"}
    assert 403 == browser.post("/sign-in", data=form).status_code


def test_a_large_form_is_not_read(browser: FlaskClient) -> None:
    """413, before anything is compared."""
    form = {"csrf": "x", "token": "x" * 100_000}
    assert 413 == browser.post("/sign-in", data=form).status_code
