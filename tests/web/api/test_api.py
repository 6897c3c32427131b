"""What the API reads and does, and for whom."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tea_runner.core.access import AccessLevel
from tea_runner.wiring import Site
from tests.looking import COMMIT, REPOSITORY, RUN, begin, fail, make_job, save
from tests.planner_at_work import planner_at_work
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import make_client, make_stranger

JOBS = [make_job(number) for number in (1, 2, 3)]


@pytest.fixture
def stand(site: Site) -> Iterator[Site]:
    """A running, a failed and a waiting job; ``ada`` writes, ``bob`` reads, ``eve`` does neither."""
    accounts = MemoryAccounts()
    for name, level in (("ada", "WRITE"), ("bob", "READ"), ("eve", "NONE")):
        accounts.add(name, f"{name}-token")
        accounts.let(name, REPOSITORY, AccessLevel[level])
    vars(site)["accounts"] = accounts
    begin(site, JOBS[0], b"hello\n")
    fail(site, JOBS[1])
    site.jobs.enqueue(JOBS[2])
    save(site, JOBS)
    with planner_at_work(site):
        yield site


def _as(site: Site, name: str) -> FlaskClient:
    client = make_stranger(site)
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {name}-token"
    return client


def test_readers_read_the_documents_of_the_terminal(stand: Site) -> None:
    """The same as the pages' JSON."""
    client = _as(stand, "bob")
    for page, path in ((f"/runs/{RUN}.json", f"runs/{RUN}"), (f"/jobs/{JOBS[1].id}.json", "")):
        path = path or f"jobs/{JOBS[1].id}"
        assert client.get(page).get_json() == client.get(f"/api/v1/{path}").get_json()
    listed = client.get("/api/v1/repositories").get_json()["repositories"]
    assert [(REPOSITORY, "read")] == [(row["name"], row["access"]) for row in listed]
    assert b"hello\n" == client.get(f"/api/v1/jobs/{JOBS[0].id}/log").data
    part = client.get(f"/api/v1/jobs/{JOBS[0].id}/log", headers={"Range": "bytes=1-3"})
    assert (206, b"ell") == (part.status_code, part.data)


def test_a_job_is_found_before_a_run_lists_it(stand: Site) -> None:
    """For who may read its repository: planners enqueue jobs before they save the run."""
    job = make_job(9)
    stand.jobs.enqueue(job)
    query = {"name": job.id[:12]}
    assert job.id == _as(stand, "bob").get("/api/v1/find", query_string=query).get_json()["job"]
    assert 404 == _as(stand, "eve").get("/api/v1/find", query_string=query).status_code


def test_datums_are_paged_filtered_and_searched(stand: Site) -> None:
    """Without those of other pages."""
    client, path = _as(stand, "bob"), f"/api/v1/runs/{RUN}/datums"
    assert 6 == client.get(path).get_json()["total"]
    failed = client.get(path, query_string={"state": "failed"}).get_json()
    assert ["images:2.jpg"] == [row["datum"] for row in failed["datums"]]
    found = client.get(path, query_string={"search": "OLD1", "pipeline": "edges"}).get_json()
    assert ["images:old1.jpg"] == [row["datum"] for row in found["datums"]]
    page = client.get(path, query_string={"per_page": 4, "page": 2}).get_json()
    assert (6, 2) == (page["total"], len(page["datums"]))
    assert 0 == client.get(path, query_string={"pipeline": "none"}).get_json()["total"]
    wrong = client.get(path, query_string={"per_page": 0})
    assert (422, "per_page" in wrong.get_json()["error"]) == (wrong.status_code, True)


@pytest.mark.parametrize("name", [REPOSITORY, COMMIT[:9], RUN, JOBS[1].id[:8], JOBS[1].id])
def test_things_are_found_by_their_names_by_readers_only(stand: Site, name: str) -> None:
    """Others get the answer of what does not exist."""
    found = _as(stand, "bob").get("/api/v1/find", query_string={"name": name}).get_json()
    assert RUN == found["run"] or JOBS[1].id == found["job"]
    client = _as(stand, "eve")
    refused = client.get("/api/v1/find", query_string={"name": name})
    absent = client.get("/api/v1/find", query_string={"name": "lab/absent"})
    assert (404, absent.text) == (refused.status_code, refused.text)


@pytest.mark.parametrize("action", ["cancel", "retry", "recompute"])
@pytest.mark.parametrize("place", [f"runs/{RUN}", f"jobs/{JOBS[1].id}"])
def test_only_writers_act(stand: Site, action: str, place: str) -> None:
    """Readers and others get 404; without a token of its own, a request is none of this site's forms."""
    path = f"/api/v1/{place}/{action}"
    for name in ("bob", "eve"):
        assert 404 == _as(stand, name).post(path, json={}).status_code
    assert 403 == make_stranger(stand).post(path, json={}).status_code


def test_writers_cancel_and_retry(stand: Site) -> None:
    """And are named as those who did it."""
    vars(stand)["trusted_branches"] = lambda *_: ("main",)
    client = _as(stand, "ada")
    ended = client.post(f"/api/v1/runs/{RUN}/cancel").get_json()
    assert [JOBS[0].id] == ended["stopping"]
    assert [JOBS[2].id] == ended["cancelled"]
    assert "ada" == stand.jobs.facts([JOBS[2].id])[JOBS[2].id].cancelled_by
    done = client.post(f"/api/v1/runs/{RUN}/retry").get_json()
    assert REPOSITORY == done["repository"]
    assert "ada" == client.get(f"/api/v1/runs/{done['run']}").get_json()["requested_by"]


def test_lists_have_nothing_of_it_for_others(stand: Site) -> None:
    """Repositories, runs and workers."""
    client = _as(stand, "eve")
    assert {"repositories": []} == client.get("/api/v1/repositories").get_json()
    assert [] == client.get("/api/v1/runs").get_json()["runs"]
    assert JOBS[0].id not in client.get("/api/v1/workers").text
    assert JOBS[0].id in make_client(stand).get("/api/v1/workers").text


def test_runs_come_in_pages(stand: Site) -> None:
    """The newest first."""
    for number in range(5):
        save(stand, [], state="settled", commit=f"{number:040x}")
    client = _as(stand, "bob")
    pages = [
        client.get("/api/v1/runs", query_string={"per_page": 4, "page": page}).get_json()
        for page in (1, 2)
    ]
    assert [(4, True), (2, False)] == [(len(page["runs"]), page["has_more"]) for page in pages]
    assert "4" == pages[0]["runs"][0]["commit"][-1]
    done = client.get("/api/v1/runs", query_string={"state": "failed"}).get_json()
    assert json.dumps(done)
