"""Buttons of runs and jobs: who has them, what they ask, what they do, and that it is noted who did it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.access import AccessLevel
from tea_runner.core.planning.run import Run
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, RUN, begin, fail, make_job, make_site, save
from tests.planner_at_work import planner_at_work
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import make_stranger, see


@pytest.fixture
def site(broker: RedisServer, tmp_path: Path) -> Iterator[Site]:
    """``ada`` may write to the repository, ``bob`` may read it."""
    made = make_site(broker, tmp_path, trusted_branches="main")
    made.redis.flushall()
    accounts = MemoryAccounts()
    for name, level in (("ada", AccessLevel.WRITE), ("bob", AccessLevel.READ)):
        accounts.add(name, f"{name}-token")
        accounts.let(name, REPOSITORY, level)
    vars(made)["accounts"] = accounts
    with planner_at_work(made):
        yield made
    made.redis.close()


def client_of(site: Site, name: str) -> FlaskClient:
    """Requests of an account."""
    client = make_stranger(site)
    client.environ_base["HTTP_AUTHORIZATION"] = f"token {name}-token"
    return client


def failed_run(site: Site) -> Run:
    """One datum failed, one is done; the run has ended."""
    jobs = [make_job(1), make_job(2)]
    fail(site, jobs[0])
    site.jobs.finish(begin(site, jobs[1]), "done")
    run = save(site, jobs, state="failed")
    rows = [
        row._replace(action="failed" if number == 0 else "done")
        for number, row in enumerate(run.pipelines[0].datums)
    ]
    failed = replace(run.pipelines[0], datums=rows, counts={"failed": 1, "done": 1, "reused": 3})
    return site.runs.save(replace(run, pipelines=[failed, *run.pipelines[1:]]))[0]


def test_who_may_write_has_the_buttons(site: Site) -> None:
    """Who may read sees none, and cannot do what they do."""
    failed_run(site)
    retry = f"/runs/{RUN}/retry"
    assert retry in see(client_of(site, "ada"), f"/runs/{RUN}").links()
    bob = client_of(site, "bob")
    assert retry not in see(bob, f"/runs/{RUN}").links()
    for path in (retry, f"/runs/{RUN}/cancel", f"/jobs/{make_job(1).id}/retry"):
        assert (404, 404) == (bob.get(path).status_code, bob.post(path).status_code)
    assert 404 == client_of(site, "ada").post(f"/runs/{RUN}/delete").status_code


def test_each_asks_once_and_only_then_does_it(site: Site) -> None:
    """To look at the question changes nothing."""
    failed_run(site)
    ada = client_of(site, "ada")
    page = see(ada, f"/runs/{RUN}/retry")
    assert f"Retry what failed of run {RUN} of {REPOSITORY}?" in page.text
    assert "It is noted that ada requested it." in page.text
    assert site.runs.current(REPOSITORY, "main") == RUN


def test_retry_runs_what_failed_and_notes_who_asked(site: Site) -> None:
    """In a new run, to which the answer leads."""
    failed_run(site)
    answer = client_of(site, "ada").post(f"/runs/{RUN}/retry")
    new = site.runs.current(REPOSITORY, "main")
    assert (303, f"/runs/{new}") == (answer.status_code, answer.headers["Location"])
    run = site.runs.get(new)
    assert run is not None
    assert ("retry requested", "ada", RUN) == (run.cause, run.requested_by, run.previous)


def test_a_datum_that_is_done_can_be_recomputed_from_its_page(site: Site) -> None:
    """By those who may write; one that failed is retried."""
    run = failed_run(site)
    failed, done = run.pipelines[0].datums[:2]
    again = f"/runs/{RUN}/recompute?key={done.key}"
    page = f"/jobs/{make_job(2).id}/datums/{done.key}"
    ada, bob = client_of(site, "ada"), client_of(site, "bob")

    assert again in see(ada, page).links()
    assert again not in see(bob, page).links()
    other = see(ada, f"/jobs/{make_job(1).id}/datums/{failed.key}")
    assert not [link for link in other.links() if "recompute" in link]


def test_recompute_takes_a_run_a_pipeline_or_a_datum(site: Site) -> None:
    """And refuses what the run has not."""
    run = failed_run(site)
    ada = client_of(site, "ada")
    key = run.pipelines[0].datums[1].key
    assert "Recompute pipeline edges" in see(ada, f"/runs/{RUN}/recompute?pipeline=1").text
    assert f"Recompute datum {key[:16]}" in see(ada, f"/runs/{RUN}/recompute?key={key}").text
    for form in ({}, {"pipeline": "1"}, {"key": key}):
        assert 303 == ada.post(f"/runs/{RUN}/recompute", data=form).status_code, form
    for wrong in ({"pipeline": "9"}, {"pipeline": "-1"}, {"key": "f" * 64}):
        assert 404 == ada.post(f"/runs/{RUN}/recompute", data=wrong).status_code, wrong
    latest = site.runs.get(site.runs.current(REPOSITORY, "main"))
    assert latest is not None
    assert "ada" == latest.requested_by


def test_cancel_ends_what_waits(site: Site) -> None:
    """A run's jobs, or one of them."""
    jobs = [make_job(1), make_job(2)]
    for job in jobs:
        site.jobs.enqueue(job)
    save(site, jobs)
    ada = client_of(site, "ada")
    assert f"/jobs/{jobs[0].id}/cancel" in see(ada, f"/jobs/{jobs[0].id}").links()
    assert 303 == ada.post(f"/jobs/{jobs[0].id}/cancel").status_code
    assert 303 == ada.post(f"/runs/{RUN}/cancel").status_code
    assert {"cancelled"} == {each.state for each in site.jobs.facts([j.id for j in jobs]).values()}
    assert {"ada"} == {each.cancelled_by for each in site.jobs.facts([j.id for j in jobs]).values()}


def test_another_site_cannot_press_a_button(site: Site) -> None:
    """A form without the session's token is refused, also the operator's."""
    failed_run(site)
    browser = make_stranger(site)
    assert 303 == browser.get(f"/runs/{RUN}?token={site.pages_token}").status_code
    refused = browser.post(f"/runs/{RUN}/retry", data={"csrf": "x"})
    assert 400 <= refused.status_code < 500
    assert site.runs.current(REPOSITORY, "main") == RUN
    html = browser.get(f"/runs/{RUN}/retry").text
    token = html.partition('name="csrf" value="')[2].partition('"')[0]
    assert 303 == browser.post(f"/runs/{RUN}/retry", data={"csrf": token}).status_code
    run = site.runs.get(site.runs.current(REPOSITORY, "main"))
    assert run is not None
    assert "the operator" == run.requested_by
