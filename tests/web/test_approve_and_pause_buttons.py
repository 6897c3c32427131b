"""Approve, pause and resume on pages and in the API: who may, what follows, and who is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.access import AccessLevel
from tea_runner.core.planning.run import Run
from tea_runner.wiring import Site
from tests.looking import COMMIT, REPOSITORY, RUN, make_job, make_site, save
from tests.twins.accounts import MemoryAccounts
from tests.twins.forge import MemoryForge
from tests.web.browser import make_client, make_stranger, see

_PAGE = f"/repos/{REPOSITORY}"
_API = f"/api/v1/repositories/{REPOSITORY}"


@pytest.fixture(autouse=True)
def _people(site: Site) -> None:
    _let_people(site)


def _let_people(site: Site) -> None:
    """``ada`` may write to the repository, ``bob`` may read it, ``eve`` neither."""
    accounts = MemoryAccounts()
    for name, level in (("ada", "WRITE"), ("bob", "READ"), ("eve", "NONE")):
        accounts.add(name, f"{name}-token")
        accounts.let(name, REPOSITORY, AccessLevel[level])
    vars(site)["accounts"] = accounts


def client_of(site: Site, name: str) -> FlaskClient:
    """Requests of an account."""
    client = make_stranger(site)
    client.environ_base["HTTP_AUTHORIZATION"] = f"token {name}-token"
    return client


def waiting_run(site: Site) -> Run:
    """A run that would compute too much."""
    run = save(site, [make_job(1)])
    held = replace(run.pipelines[0], reason="approval-needed", detail="would compute 9 datums")
    return site.runs.save(replace(run, pipelines=[held, *run.pipelines[1:]]))[0]


def test_a_run_that_waits_is_approved_by_who_may_write(site: Site) -> None:
    """The page says for what it waits; the order names the person and the commit."""
    waiting_run(site)
    ada, bob = client_of(site, "ada"), client_of(site, "bob")
    assert "waits for approval: would compute 9 datums" in see(bob, f"/runs/{RUN}").text
    approve = f"/runs/{RUN}/approve"
    assert (True, False) == tuple(approve in see(c, f"/runs/{RUN}").links() for c in (ada, bob))
    assert 404 == bob.post(approve).status_code
    assert 303 == ada.post(approve).status_code
    (order,) = site.orders.all()
    assert ("approve", "ada", COMMIT, "main") == (
        order.kind,
        order.by,
        order.commit,
        order.branch,
    )
    assert 1 == site.queues.length("plan")


def test_a_run_that_waits_for_nothing_is_not_approved(site: Site) -> None:
    """Neither before nor afterwards."""
    save(site, [make_job(1)])
    ada = client_of(site, "ada")
    assert 400 == ada.post(f"/api/v1/runs/{RUN}/approve").status_code
    assert [] == site.orders.all()


def test_a_repository_is_paused_and_resumed_with_buttons(site: Site) -> None:
    """All readers see who paused it; writers end it."""
    save(site, [make_job(1)])
    ada, bob = client_of(site, "ada"), client_of(site, "bob")
    assert f"{_PAGE}/pause" in see(ada, _PAGE).links()
    assert f"{_PAGE}/pause" not in see(bob, _PAGE).links()
    assert f"Pause {REPOSITORY}?" in see(ada, f"{_PAGE}/pause").text
    assert 404 == bob.post(f"{_PAGE}/pause").status_code
    assert 303 == ada.post(f"{_PAGE}/pause").status_code
    for client in (ada, bob):
        assert f"{REPOSITORY} was paused by ada" in see(client, _PAGE).text
    assert f"{_PAGE}/resume" in see(ada, _PAGE).links()
    assert f"{_PAGE}/resume" not in see(bob, _PAGE).links()
    assert 303 == ada.post(f"{_PAGE}/resume").status_code
    assert "was paused" not in see(client_of(site, "bob"), _PAGE).text
    assert 404 == ada.post(f"{_PAGE}/resume").status_code


def test_a_pipeline_is_paused_by_its_name(site: Site) -> None:
    """From the page of a run that shows its datums."""
    save(site, [make_job(1)])
    ada = client_of(site, "ada")
    ask = f"{_PAGE}/pause?pipeline=edges"
    assert ask in see(ada, f"/runs/{RUN}?pipeline=1").links()
    assert f"Pause pipeline edges of {REPOSITORY}?" in see(ada, ask).text
    ada.post(f"{_PAGE}/pause", data={"pipeline": "edges"})
    assert f"{_PAGE}/resume?pipeline=edges" in see(ada, _PAGE).links()


def test_only_operators_pause_the_server(site: Site) -> None:
    """Everybody with an account sees it."""
    operator, ada = make_client(site), client_of(site, "ada")
    for path in ("/workers/pause", "/api/v1/pause"):
        assert 404 == ada.post(path).status_code
    assert 303 == operator.post("/workers/pause").status_code
    assert "everything was paused by the operator" in see(ada, "/workers").text
    assert "/workers/resume" in see(operator, "/workers").links()
    assert "/workers/resume" not in see(ada, "/workers").links()


def test_the_api_pauses_resumes_and_lists(site: Site) -> None:
    """Strangers to a repository learn nothing of it."""
    save(site, [make_job(1)])
    ada, eve = client_of(site, "ada"), client_of(site, "eve")
    assert 404 == eve.post(f"{_API}/pause", json={}).status_code
    done = ada.post(f"{_API}/pause", json={"pipeline": "edges"}).get_json()
    assert ("pause", "ada", "edges") == (done["order"], done["by"], done["pipeline"])
    assert [done] == client_of(site, "bob").get("/api/v1/pauses").get_json()["pauses"]
    assert [] == eve.get("/api/v1/pauses").get_json()["pauses"]
    assert 404 == ada.post(f"{_API}/resume", json={}).status_code, "the repository is not paused"
    assert 200 == ada.post(f"{_API}/resume", json={"pipeline": "edges"}).status_code
    assert 404 == ada.post("/api/v1/repositories/lab/absent/pause", json={}).status_code


def test_a_commit_of_a_pull_request_is_approved_on_its_page(
    broker: RedisServer, tmp_path: Path
) -> None:
    """The newest one only, by who may write; readers see what waits."""
    site = make_site(broker, tmp_path, pull_requests="true")
    site.redis.flushall()
    forge = MemoryForge()
    forge.create(REPOSITORY)
    forge.push(REPOSITORY, {"refs/heads/fix": COMMIT})
    pull = forge.open_pull_request(REPOSITORY, head="fix", base="main", title="Fix", text="")
    vars(site)["forge"] = forge
    _let_people(site)
    save(site, [make_job(1)])
    ada, bob = client_of(site, "ada"), client_of(site, "bob")
    page, ask = f"{_PAGE}/pulls", f"{_PAGE}/pulls/{pull.number}/approve"
    assert "waits for approval" in see(bob, page).text
    assert (True, False) == tuple(ask in see(client, page).links() for client in (ada, bob))
    assert f"Approve commit {COMMIT[:12]}" in see(ada, ask).text

    assert 404 == bob.post(ask, data={"commit": COMMIT}).status_code
    assert 403 == ada.post(ask, data={"commit": "0" * 40}).status_code
    assert [] == site.orders.all()
    assert 303 == ada.post(ask, data={"commit": COMMIT}).status_code
    (order,) = site.orders.all()
    assert ("approve pull request", f"pull/{pull.number}", COMMIT, "ada") == (
        order.kind,
        order.branch,
        order.commit,
        order.by,
    )
    (row,) = bob.get(f"{_API}/pull-requests").get_json()["pull_requests"]
    assert ("Fix", False) == (row["title"], row["waits_for_approval"])
    site.redis.close()
