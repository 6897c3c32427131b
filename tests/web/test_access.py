"""Who sees what on the pages: two accounts of whom one may read a private repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.access import AccessLevel, Requirement
from tea_runner.core.planning.run import run_id
from tea_runner.web import access_gate
from tea_runner.web.route_requirements import REQUIREMENTS
from tea_runner.web.wsgi import application
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, RUN, begin, make_job, make_site, save
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import make_stranger

JOB = make_job()
#: Addresses about the private repository.
PRIVATE = (
    f"/repos/{REPOSITORY}",
    f"/repos/{REPOSITORY}.json",
    f"/runs/{RUN}",
    f"/runs/{RUN}.json",
    f"/jobs/{JOB.id}",
    f"/jobs/{JOB.id}.json",
    f"/jobs/{JOB.id}/log",
    f"/runs/{RUN}/graph.svg",
    f"/runs/{RUN}/events",
    f"/jobs/{JOB.id}/events",
    f"/jobs/{JOB.id}/log/events",
    f"/repos/{REPOSITORY}/events",
)
#: The same of things that do not exist.
ABSENT = (
    "/repos/lab/absent",
    "/repos/lab/absent.json",
    f"/runs/{'0' * 12}",
    f"/runs/{'0' * 12}.json",
    f"/jobs/{'0' * 32}",
    f"/jobs/{'0' * 32}.json",
    f"/jobs/{'0' * 32}/log",
    f"/runs/{'0' * 12}/graph.svg",
    f"/runs/{'0' * 12}/events",
    f"/jobs/{'0' * 32}/events",
    f"/jobs/{'0' * 32}/log/events",
    "/repos/lab/absent/events",
)
#: Nothing of the repository that a stranger may learn.
_NAMES = re.compile(r"edges|Add photographs|Ada Lovelace|no such colour|images:|montage")


@pytest.fixture
def accounts() -> MemoryAccounts:
    """``ada`` may write to the repository, ``bob`` may read it, ``eve`` may not see it."""
    accounts = MemoryAccounts()
    for name in ("ada", "bob", "eve"):
        accounts.add(name, f"{name}-token")
    accounts.let("ada", REPOSITORY, AccessLevel.WRITE)
    accounts.let("bob", REPOSITORY, AccessLevel.READ)
    return accounts


@pytest.fixture
def stand(site: Site, accounts: MemoryAccounts) -> Site:
    """A run with a job that printed something."""
    return _fill(site, accounts)


def _fill(site: Site, accounts: MemoryAccounts) -> Site:
    vars(site)["accounts"] = accounts
    begin(site, JOB, b"Traceback: no such colour\n")
    save(site, [JOB], author="Ada Lovelace")
    return site


def _without(path: str, text: str) -> str:
    """A text without the address that was asked for, which the page links to."""
    return text.replace(path.removesuffix(".json").removesuffix("/log"), "PATH")


def _as(site: Site, name: str) -> FlaskClient:
    client = make_stranger(site)
    client.environ_base["HTTP_AUTHORIZATION"] = f"token {name}-token"
    return client


@pytest.mark.parametrize("name", ["ada", "bob"])
@pytest.mark.parametrize("path", [path for path in PRIVATE if not path.endswith("/events")])
def test_readers_see_a_repository(stand: Site, name: str, path: str) -> None:
    """Its pages, jobs and logs."""
    answer = _as(stand, name).get(path)
    assert 200 == answer.status_code
    assert _NAMES.search(answer.text)


@pytest.mark.parametrize(("path", "absent"), list(zip(PRIVATE, ABSENT, strict=True)))
def test_others_cannot_tell_it_from_one_that_does_not_exist(
    stand: Site, accounts: MemoryAccounts, path: str, absent: str
) -> None:
    """The same status, words and headers, and as many questions to the forge."""
    client = _as(stand, "eve")
    told, asked = [], []
    for each in (path, absent):
        before = len(accounts.asked)
        answer = client.get(each)
        headers = {k: v for k, v in answer.headers if k != "Content-Length"}
        told.append((answer.status_code, _without(each, answer.text), headers))
        asked.append(len(accounts.asked) - before)
    assert told[0] == told[1]
    assert asked[0] == asked[1] > 0
    assert 404 == told[0][0]


@pytest.mark.parametrize("path", ["/", "/index.json", "/workers", "/workers.json", "/about"])
def test_lists_have_nothing_of_it_for_others(stand: Site, path: str) -> None:
    """Neither names nor ids, and no words about the settings."""
    text = _as(stand, "eve").get(path).text
    assert not _NAMES.search(text)
    assert RUN not in text
    assert JOB.id[:10] not in text
    assert "redis.url" not in text
    if path in ("/", "/index.json"):
        assert REPOSITORY in _as(stand, "bob").get(path).text


@pytest.mark.parametrize("path", [*PRIVATE, *ABSENT, "/", "/workers", "/about"])
def test_strangers_are_asked_to_sign_in(stand: Site, accounts: MemoryAccounts, path: str) -> None:
    """Whatever they ask for: a browser by the page, a program by 401; the forge is not asked."""
    client = make_stranger(stand)
    answer = client.get(path, headers={"Accept": "text/html"})
    if path.endswith((".json", "/log", "/events")):
        assert 401 == answer.status_code
    else:
        assert 303 == answer.status_code
        assert answer.location.startswith("/sign-in?next=")
    refused = client.get(path, headers={"Accept": "application/json"})
    assert (401, "Bearer") == (refused.status_code, refused.headers["WWW-Authenticate"])
    assert not _NAMES.search(_without(path, refused.text))
    assert [] == accounts.asked


def test_a_token_that_the_forge_does_not_accept_is_no_account(stand: Site) -> None:
    """Nor is an empty one, or one of another scheme."""
    client = make_stranger(stand)
    for header in ("token wrong", "Bearer ", "token", "Basic YWRhOmFkYQ==", "Bearer \xff"):
        answer = client.get("/index.json", headers={"Authorization": header})
        assert 401 == answer.status_code, header


def test_nothing_is_shown_while_the_forge_does_not_answer(
    stand: Site, accounts: MemoryAccounts
) -> None:
    """Readers and others get the same 503; the operator is no account of the forge."""
    accounts.reachable = False
    for path in (*PRIVATE, *ABSENT, "/"):
        answers = [_as(stand, name).get(path) for name in ("ada", "eve")]
        assert [503, 503] == [answer.status_code for answer in answers]
        assert not any(_NAMES.search(_without(path, answer.text)) for answer in answers)
    client = make_stranger(stand)
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {stand.pages_token}"
    assert 200 == client.get(f"/runs/{RUN}").status_code


def test_what_is_public_is_seen_by_strangers(
    broker: RedisServer, tmp_path: Path, accounts: MemoryAccounts
) -> None:
    """And nothing else: neither another repository nor the settings."""
    site = make_site(broker, tmp_path, pages__public="lab/edges")
    site.redis.flushall()
    _fill(site, accounts)
    site.webhooks.keep(site.webhooks.new("gitea", "lab/other"))
    client = make_stranger(site)
    for path in PRIVATE:
        assert 200 == client.get(path).status_code
    for path in ABSENT:
        assert 401 == client.get(path).status_code
    home = client.get("/").text
    assert REPOSITORY in home
    assert "lab/other" not in home
    for path in ("/workers", "/about", "/metrics"):
        assert 401 == client.get(path).status_code
    assert 200 == _as(site, "eve").get(f"/runs/{RUN}").status_code


def test_metrics_have_a_token_of_their_own(broker: RedisServer, tmp_path: Path) -> None:
    """It opens the metrics and the details of readiness, and nothing else."""
    (tmp_path / "token").write_text("metrics-token\n")
    site = make_site(broker, tmp_path, metrics__token_file=str(tmp_path / "token"))
    client = make_stranger(site)
    assert 401 == client.get("/metrics").status_code
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer metrics-token"
    assert "tea_redis_up 1.0" in client.get("/metrics").text
    assert "checks" in client.get("/readyz").get_json()
    for path in ("/", f"/runs/{RUN}", "/about", "/workers"):
        assert 401 == client.get(path).status_code


def test_accounts_do_not_read_metrics(stand: Site) -> None:
    """They count what happens in all repositories."""
    assert 404 == _as(stand, "ada").get("/metrics").status_code


def test_operators_of_the_settings_see_everything(
    broker: RedisServer, tmp_path: Path, accounts: MemoryAccounts
) -> None:
    """By the names of their accounts, in any case of letters, as the forge takes them."""
    site = make_site(broker, tmp_path, pages__operators="Eve")
    site.redis.flushall()
    _fill(site, accounts)
    for path in (*PRIVATE, "/metrics", "/about"):
        assert 200 == _as(site, "eve").get(path).status_code
    assert "redis.url" in _as(site, "eve").get("/about").text


def _app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("TEA_RUNNER_STATE", str(tmp_path))
    monkeypatch.setenv("TEA_RUNNER_REDIS__URL", f"unix://{tmp_path}/none")
    return application()


def test_each_route_declares_what_it_requires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is forgotten, and none is left over; what is about a repository says about which."""
    rules = {rule.endpoint: rule for rule in _app(tmp_path, monkeypatch).url_map.iter_rules()}
    assert REQUIREMENTS.keys() == rules.keys()
    for endpoint, requirement in REQUIREMENTS.items():
        names = rules[endpoint].arguments
        if endpoint == "pages.badge":
            continue  # of what the forge itself shows to everybody
        is_about_one = bool({"run", "job"} & names) or {"owner", "name"} <= names
        assert is_about_one == (requirement in (Requirement.READ, Requirement.WRITE)), endpoint


def test_a_route_that_was_forgotten_answers_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the operator."""
    app = _app(tmp_path, monkeypatch)
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    token = (tmp_path / "pages.token").read_text()
    answer = app.test_client().get("/forgotten", headers={"Authorization": f"Bearer {token}"})
    assert (404, "secret" in answer.text) == (answer.status_code, False)


def test_runs_of_one_commit_in_two_repositories_are_apart(
    stand: Site, accounts: MemoryAccounts
) -> None:
    """A reader of a fork sees the fork's run only."""
    accounts.let("eve", "eve/edges", AccessLevel.WRITE)
    assert run_id("eve/edges", "main", "1" * 40) != run_id(REPOSITORY, "main", "1" * 40)
    assert 404 == _as(stand, "eve").get(f"/runs/{RUN}").status_code


@pytest.mark.long
def test_a_stream_ends_with_the_permission(
    stand: Site, accounts: MemoryAccounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within half a minute, as the forge is asked again."""
    monkeypatch.setattr(access_gate, "_RECHECKED", -1.0)
    for name in ("bob", "ada"):
        stream = _as(stand, name).get(f"/jobs/{JOB.id}/events", buffered=False)
        parts = iter(stream.response)
        assert "retry" in str(next(parts))
        accounts.let(name, REPOSITORY, AccessLevel.NONE)
        assert [] == list(parts)


@pytest.mark.long
def test_a_stream_ends_with_the_session(stand: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signs out sees no more."""
    monkeypatch.setattr(access_gate, "_RECHECKED", -1.0)
    browser = make_stranger(stand)
    browser.get("/", query_string={"token": stand.pages_token})
    parts = iter(browser.get(f"/jobs/{JOB.id}/events", buffered=False).response)
    assert "retry" in str(next(parts))
    with browser.session_transaction() as session:
        stand.sessions.end(session["id"])
    assert [] == list(parts)
