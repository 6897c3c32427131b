"""A start by hand in the API: who may ask for it, and what is asked of the planner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from tea_runner.broker import redis_keys
from tea_runner.core.access import AccessLevel
from tea_runner.core.planning.asked_tick import AskedTick, seal_tick
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, RUN, make_job, save
from tests.planner_at_work import planner_at_work
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import make_stranger, see

_API = f"/api/v1/repositories/{REPOSITORY}/trigger"
_YEAR = {
    "name": "year",
    "type": "integer",
    "default": "2025",
    "options": [],
    "description": "Which year.",
    "value": "2025",
}


@pytest.fixture
def people(site: Site) -> Iterator[Site]:
    """``ada`` may write to the repository, ``bob`` may read it; ``edges`` has a schedule and a variable."""
    accounts = MemoryAccounts()
    for name, level in (("ada", "WRITE"), ("bob", "READ")):
        accounts.add(name, f"{name}-token")
        accounts.let(name, REPOSITORY, AccessLevel[level])
    vars(site)["accounts"] = accounts
    run = save(site, [make_job(1)])
    edges = replace(run.pipelines[0], schedules=["tick"], variables=[_YEAR])
    site.runs.save(replace(run, pipelines=[edges, *run.pipelines[1:]]))
    with planner_at_work(site):
        yield site


def client_of(site: Site, name: str) -> FlaskClient:
    """Requests of an account."""
    client = make_stranger(site)
    client.environ_base["HTTP_AUTHORIZATION"] = f"token {name}-token"
    return client


def asked_of(site: Site) -> list[tuple[str, dict[str, str], str]]:
    """What the planner finds: pipeline, values, person."""
    pending = site.asked_ticks(REPOSITORY, "main").pending()
    return [(each.pipeline, dict(each.variables), each.by) for each in pending]


def test_who_may_write_asks_for_a_start(people: Site) -> None:
    """The planner finds pipeline, values and person; readers are refused."""
    body: dict[str, Any] = {"pipeline": "edges", "branch": "main", "variables": {"year": "02026"}}
    assert 404 == client_of(people, "bob").post(_API, json=body).status_code
    assert [] == asked_of(people)
    answer = client_of(people, "ada").post(_API, json=body)
    assert (200, {"year": "02026"}) == (answer.status_code, (answer.json or {})["variables"])
    assert [("edges", {"year": "2026"}, "ada")] == asked_of(people)
    branch = redis_keys.branch_id(REPOSITORY, "main")
    assert people.redis.hexists(redis_keys.plan_requests(), branch)
    store = people.asked_ticks(REPOSITORY, "main")
    store.recorded(store.pending()[0])
    assert [] == asked_of(people)


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"pipeline": "nothing"}, 404, "has no pipeline nothing on branch main"),
        ({"variables": {"month": "5"}}, 400, "pipeline edges has no variable month; it has year"),
        ({"variables": {"year": "soon"}}, 400, "expected a whole number, got 'soon'"),
        (
            {"pipeline": "montage"},
            400,
            "pipeline montage has no schedule, no trigger and no variables",
        ),
    ],
)
def test_what_is_not_declared_is_refused(
    people: Site, change: dict[str, Any], code: int, sentence: str
) -> None:
    """In one clear sentence, and nothing is asked of the planner."""
    body = {"pipeline": "edges", "branch": "main", **change}
    answer = client_of(people, "ada").post(_API, json=body)
    assert (code, True) == (answer.status_code, sentence in answer.text), answer.text
    assert [] == asked_of(people)


def test_a_form_asks_for_the_values(people: Site) -> None:
    """On a page of its own, for who may write; it says who did it."""
    path = f"/runs/{RUN}/trigger?pipeline=1"
    ada, bob = client_of(people, "ada"), client_of(people, "bob")
    assert path in see(ada, f"/runs/{RUN}?pipeline=1").links()
    assert path not in see(bob, f"/runs/{RUN}?pipeline=1").links()
    assert "year=2025" in see(ada, f"/runs/{RUN}").text
    page = see(ada, path)
    assert f"Start pipeline edges of {REPOSITORY} on main?" in page.text
    assert "It is noted that ada requested it." in page.text
    assert ("input", "name", "var-year") in page.attributes
    assert [] == asked_of(people)
    form = {"pipeline": "1", "var-year": "2026"}
    assert 404 == bob.post(f"/runs/{RUN}/trigger", data=form).status_code
    answer = ada.post(f"/runs/{RUN}/trigger", data=form)
    new = people.runs.get(people.runs.current(REPOSITORY, "main"))
    assert new is not None
    assert (303, f"/runs/{new.id}") == (answer.status_code, answer.headers["Location"])
    assert ("trigger", "ada") == (new.cause, new.requested_by)
    assert [("edges", {"year": "2026"}, "ada")] == asked_of(people)
    for wrong in ({**form, "var-year": "x"}, {"pipeline": "9"}, {"pipeline": "2"}, {}):
        code = ada.post(f"/runs/{RUN}/trigger", data=wrong).status_code
        assert code in (400, 404), wrong
    assert 1 == len(asked_of(people))


def test_what_was_not_sealed_is_not_asked_for(people: Site) -> None:
    """Whoever may write to Redis alone, or repeats what was asked for elsewhere, sets no variable."""
    asked = AskedTick(
        repository=REPOSITORY, branch="main", pipeline="edges", tick="2026-12-01T00:00:00Z"
    )
    store = people.asked_ticks(REPOSITORY, "other")
    store.add(replace(asked, branch="other"))
    (key,) = people.redis.keys("*asked-ticks*other*")
    for text in ("{}", "x", seal_tick(asked, b"another key"), *people.redis.smembers(key)):
        people.redis.sadd(key.replace(b"other", b"main"), text)
    assert 4 == people.redis.scard(key.replace(b"other", b"main"))
    assert [] == asked_of(people)
