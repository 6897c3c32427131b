"""The table of Redis keys: complete, unambiguous, and the only place where a key is spelled."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tea_runner.broker import redis_keys
from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.wiring import Site
from tests.looking import EVENT, REPOSITORY, fail, make_job, plan_to_end, save

ROOT = Path(__file__).parents[2]
BROKER = ROOT / "tea_runner" / "broker"


def product() -> list[Path]:
    """All modules of the product."""
    return [*sorted((ROOT / "tea_runner").rglob("*.py")), *sorted((ROOT / "workers").rglob("*.py"))]


def test_no_other_module_spells_a_key() -> None:
    """Neither in code nor in a script nor in a docstring."""
    spelled = [
        path.relative_to(ROOT).as_posix()
        for path in product()
        if re.search(r"\b(tea|rq):[a-z]", path.read_text(encoding="utf-8"))
    ]
    assert ["tea_runner/broker/redis_keys.py"] == spelled


@pytest.mark.parametrize("name", redis_keys.FAMILIES)
def test_each_family_says_what_it_holds_and_who_writes_it(name: str) -> None:
    """Its docstring, and a module of the room that uses it."""
    family = redis_keys.FAMILIES[name]
    assert inspect.getdoc(family.suffix)
    assert f"keys.{name}(" in (BROKER / f"{family.owner}.py").read_text(encoding="utf-8")
    assert family.ttl >= redis_keys.NO_EXPIRY


def test_no_two_families_share_a_name() -> None:
    """Their keys differ, whatever the parts."""
    names = [
        family(*("x" for _ in inspect.signature(family.suffix).parameters))
        for family in redis_keys.FAMILIES.values()
    ]
    assert len(names) == len(set(names))


def test_a_branch_id_is_read_back() -> None:
    """Names of branches need not be UTF-8."""
    name = redis_keys.branch_id("a/b", "odd\udcff/branch")
    assert ("a/b", "odd\udcff/branch") == redis_keys.split_branch_id(
        name.encode("utf-8", "surrogateescape")
    )


def test_keys_in_redis_are_as_the_table_says(site: Site) -> None:
    """Each key that is left by jobs, plans and runs has the type and the time to live of its family."""
    jobs = [make_job(1), make_job(2), make_job(3)]
    fail(site, jobs[0])
    site.jobs.enqueue(jobs[1])
    site.jobs.record_missing(jobs[2], "a", "no content")
    site.plan_requests.request_plan(REPOSITORY, "refs/heads/main", why="push")
    plan_to_end(site, REPOSITORY, "1" * 40, missing_at={"a"}, commit_statuses_accepted=False)
    site.superdatasets.register("lab/super", "main", [REPOSITORY])
    site.superdatasets.announce(REPOSITORY, "main", "1" * 40)
    site.recompute_requests(REPOSITORY, "main").add(["edges"], "request")
    site.publication_counts(REPOSITORY, "main").add("inputs", "edges")
    site.consistency.jobs()
    save(site, jobs)
    site.runs.note_commit_status(REPOSITORY, "1" * 40, "context", "success")
    site.throughputs.record(REPOSITORY, "edges", datums=1, seconds=1.0)
    site.measures.save(jobs[0].id, [DatumMeasures("key", 1.0)])
    site.delivery_counts.count("accepted")
    site.delivery_counts.send()
    site.events.add([EVENT])

    seen = set()
    for raw in site.redis.keys(f"{redis_keys.PREFIX}*"):
        name = raw.decode()
        family = _family(name)
        seen.add(family)
        expected = redis_keys.FAMILIES[family]
        assert expected.shape.replace("sorted set", "zset") == site.redis.type(raw).decode(), name
        ttl = site.redis.ttl(raw)
        assert (ttl == -1) if expected.ttl == redis_keys.NO_EXPIRY else (0 < ttl <= expected.ttl), (
            name
        )
    assert {"job", "live_jobs", "pending", "plan_requests", "run", "commit_statuses"} <= seen


def _family(name: str) -> str:
    """The family of a key: the one whose name, with any parts, matches the most of it."""
    matching = []
    for family, key in redis_keys.FAMILIES.items():
        parts = ["\0"] * len(inspect.signature(key.suffix).parameters)
        pattern = re.escape(key(*parts)).replace("\0", "(?s:.+)").replace("\\\0", "(?s:.+)")
        if re.fullmatch(pattern, name):
            matching.append((len(pattern), family))
    return max(matching)[1]
