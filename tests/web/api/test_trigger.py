"""A tick by hand in the API: who may ask for it, and what is asked of the planner."""

from __future__ import annotations

from tea_runner.core.access import AccessLevel
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, make_job, save
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import make_stranger

_API = f"/api/v1/repositories/{REPOSITORY}/trigger"


def test_who_may_write_asks_for_a_tick(site: Site) -> None:
    """The planner finds pipeline and time; readers, and pipelines that do not exist, are refused."""
    accounts = MemoryAccounts()
    for name, level in (("ada", "WRITE"), ("bob", "READ")):
        accounts.add(name, f"{name}-token")
        accounts.let(name, REPOSITORY, AccessLevel[level])
    vars(site)["accounts"] = accounts
    pipeline = save(site, [make_job(1)]).pipelines[0].name
    body = {"pipeline": pipeline, "branch": "main"}

    def ask(name: str, body: dict[str, str]) -> int:
        client = make_stranger(site)
        client.environ_base["HTTP_AUTHORIZATION"] = f"token {name}-token"
        return client.post(_API, json=body).status_code

    assert (404, 404) == (ask("bob", body), ask("ada", {**body, "pipeline": "nothing"}))
    assert () == site.asked_ticks(REPOSITORY, "main").pending()
    assert 200 == ask("ada", body)
    ((asked, tick),) = site.asked_ticks(REPOSITORY, "main").pending()
    assert (pipeline, 1) == (asked, site.queues.length("plan"))
    site.asked_ticks(REPOSITORY, "main").recorded(asked, tick)
    assert () == site.asked_ticks(REPOSITORY, "main").pending()
