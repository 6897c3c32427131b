"""Workers: what each does; who waits; which results are behind; and of all that what the viewer may see."""

from __future__ import annotations

import json
from pathlib import Path

from flask.testing import FlaskClient

from tea_runner.broker import redis_keys
from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.planning.branch_freshness import branch_freshness
from tea_runner.core.planning.run import PipelineRun, Run
from tea_runner.core.planning.run_status import run_status
from tea_runner.present import human_units
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, begin, make_job, make_site, save
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import data, make_client, make_stranger, see
from workers.process_row import process_row


def test_a_worker_says_what_it_does(site: Site, pages: FlaskClient) -> None:
    """Pipeline, first datum, how many more, and of which repository."""
    begin(site, make_job(1, "images:a.jpg", "images:b.jpg"))
    page = see(pages, "/workers")
    assert "edges: images:a.jpg and 1 more" in page.text
    row = data(pages, "/workers.json")["workers"][0]
    assert (REPOSITORY, "edges", 2) == (row["repository"], row["pipeline"], row["datums"])


def test_the_queue_is_counted_by_repository(site: Site, pages: FlaskClient) -> None:
    """Jobs, datums, and how long the oldest waits."""
    site.jobs.enqueue(make_job(1, "images:a.jpg", "images:b.jpg"))
    site.jobs.enqueue(make_job(2))
    assert "Queue by repository" in see(pages, "/workers").text
    (row,) = data(pages, "/workers.json")["repositories"]
    assert (REPOSITORY, 2, 3) == (row["repository"], row["jobs"], row["datums"])


def test_others_see_neither_datums_nor_names(site: Site) -> None:
    """Who may not read a repository sees a busy worker, and nothing of what it does."""
    begin(site, make_job(1))
    site.jobs.enqueue(make_job(2))
    save(site, [make_job(1)])
    accounts = MemoryAccounts()
    accounts.add("eve", "eve-token")
    vars(site)["accounts"] = accounts
    eve = make_stranger(site)
    eve.environ_base["HTTP_AUTHORIZATION"] = "token eve-token"
    for path in ("/workers", "/workers.json"):
        text = eve.get(path).text
        assert "busy" in text
        for word in ("edges", "images:", "Add photographs"):
            assert word not in text, (path, word)


def test_workers_say_how_much_disk_they_have(site: Site, pages: FlaskClient) -> None:
    """Of the file system with their scratch folder."""
    with process_row(site, "worker-a", "job", offers=lambda: ("host",)):
        row = data(pages, "/workers.json")["workers"][0]
        assert 0 < row["disk_free"] <= row["disk_total"]
        assert human_units.size(row["disk_total"]) in see(pages, "/workers").text


def test_nonsense_in_redis_is_left_out(site: Site, pages: FlaskClient) -> None:
    """Repairs and disks that nobody can have written leave the page as it is."""
    for text in ("[", "[" * 9999, "{}", '{"time": 1e999, "text": "x"}', '{"time": "a", "text": 1}'):
        site.redis.lpush(redis_keys.repairs(), text)
    now = float(site.redis.time()[0])  # type: ignore[index]
    row = {"name": "w", "kind": "job", "host": "", "pid": "", "problem": "", "heard": now}
    disks = {"disk_free": 10**400, "disk_total": 10**401, "offers": []}
    site.redis.hset(redis_keys.processes(), "w", json.dumps({**row, **disks}))
    assert "Found and repaired" not in see(pages, "/workers").text
    assert [] == data(pages, "/workers.json")["repairs"]


def test_the_operator_sees_storages_and_what_was_repaired(
    broker: RedisServer, tmp_path: Path
) -> None:
    """Others see neither: both name repositories."""
    storage = {"name": "attic", "type": "rsync", "repositories": ["lab/*"]}
    site = make_site(broker, tmp_path, storage=[storage])
    site.redis.flushall()
    site.repair_log.add([f"planned {REPOSITORY} main: it was not planned"], 1_700_000_000.0)
    accounts = MemoryAccounts()
    accounts.add("eve", "eve-token")
    vars(site)["accounts"] = accounts
    page = see(make_client(site), "/workers")
    for words in ("attic", "lab/*", f"planned {REPOSITORY} main"):
        assert words in page.text, words
    eve = make_stranger(site)
    eve.environ_base["HTTP_AUTHORIZATION"] = "token eve-token"
    for path in ("/workers", "/workers.json"):
        text = eve.get(path).text
        assert "attic" not in text
        assert REPOSITORY not in text
    site.redis.close()


def made(number: int, branch: str, state: str, started: float) -> Run:
    """A run of a branch."""
    return Run(
        id=f"{number:012x}",
        repository=REPOSITORY,
        branch=branch,
        commit=f"{number:040x}",
        started=started,
        ended=started + 1,
        pipelines=[PipelineRun(name="fit", state=state, counts={"done": 1})],
    )


def test_a_branch_is_behind_since_its_first_push_without_results() -> None:
    """Since the last run that brought all of them; those that are behind for longest come first."""
    runs = [
        made(6, "main", "failed", 60.0),
        made(5, "dev", "settled", 50.0),
        made(4, "main", "failed", 40.0),
        made(3, "new", "failed", 30.0),
        made(2, "dev", "failed", 20.0),
        made(1, "main", "settled", 10.0),
        made(0, "main", "failed", 5.0),
    ]
    rows = branch_freshness(map(run_status, runs))
    assert [("new", 30.0), ("main", 40.0), ("dev", 0.0)] == [
        (row.latest.run.branch, row.behind_since) for row in rows
    ]
    assert "000000000006" == rows[1].latest.run.id


def test_freshness_is_on_the_page(site: Site, pages: FlaskClient) -> None:
    """With a link to the run that did not bring the results."""
    run = save(site, [make_job(1)], state="failed")
    page = see(pages, "/workers")
    assert "behind inputs or code for" in page.text
    assert f"/runs/{run.id}" in page.links()
    assert run.id == data(pages, "/workers.json")["freshness"][0]["run"]
