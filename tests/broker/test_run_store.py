"""Runs as they are remembered: found by many names, and what was said once stays said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tea_runner.broker import redis_keys
from tea_runner.core.errors import NotFound
from tea_runner.core.planning.run_datum_states import DatumRow
from tea_runner.wiring import Site
from tests.looking import COMMIT, REPOSITORY, RESULTS, RUN, make_job, save


@pytest.mark.parametrize("name", [RUN, COMMIT, COMMIT[:7], REPOSITORY])
def test_a_run_is_found_by_what_people_have_at_hand(site: Site, name: str) -> None:
    """Its id, its commit, the beginning of the commit, or the repository's name."""
    save(site, [make_job()])
    assert site.runs.find(name).id == RUN


@pytest.mark.parametrize("name", ["", "0" * 12, COMMIT[:6], "lab/other", "*", "../x", "\udcff"])
def test_other_names_find_nothing(site: Site, name: str) -> None:
    """The sentence names what was asked for."""
    save(site, [make_job()])
    with pytest.raises(NotFound, match="there is no run"):
        site.runs.find(name)


def test_lists_are_by_repository_and_newest_first(site: Site) -> None:
    """Heads carry counts, but neither datums nor jobs."""
    save(site, [make_job()])
    save(site, [make_job()], commit="a" * 40)
    heads = site.runs.recent(10, REPOSITORY)
    assert ["a" * 40, COMMIT] == [head.commit for head in heads]
    assert [] == heads[0].pipelines[0].datums + heads[0].pipelines[0].jobs
    assert [REPOSITORY] == site.runs.repositories()
    assert [] == site.runs.recent(10, "lab/other")


def test_a_job_leads_to_its_run(site: Site) -> None:
    """The run that wanted it last."""
    job = make_job()
    save(site, [job])
    found = site.runs.run_of_job(job.id)
    assert found is not None
    assert found.id == RUN
    assert site.runs.run_of_job("0" * 32) is None


def test_what_ran_keeps_its_reason_when_its_result_is_known(site: Site) -> None:
    """The plan after the job knows the result; the run still says why it was computed."""
    job = make_job()
    run = save(site, [job])
    label, key = job.datums[0]
    rows = [DatumRow(label, key, "reuse", "known", f"refs/tea/jobs/{job.id}", "job")]
    settled = replace(
        run.pipelines[0], state="settled", counts={"done": 1}, commit=RESULTS, jobs=[], datums=rows
    )
    site.runs.save(replace(run, pipelines=[settled]))
    kept = site.runs.get(RUN)
    assert kept is not None
    why = "it had not been computed before"
    expected = [DatumRow(label, key, "done", "new", why, "job")]
    assert expected == kept.pipelines[0].datums
    assert [job.id] == kept.pipelines[0].jobs
    assert kept.ended >= kept.started


def test_a_later_look_does_not_make_done_into_reused(site: Site) -> None:
    """A plan that finds everything in place leaves the counts of the run as they were."""
    run = save(site, [make_job()], state="settled")
    first = site.runs.get(RUN)
    again = replace(run.pipelines[0], counts={"current": 4}, commit="", datums=[])
    site.runs.save(replace(run, pipelines=[again]))
    kept = site.runs.get(RUN)
    assert first is not None
    assert kept is not None
    assert kept.pipelines[0].counts == {"done": 1, "reused": 3}
    assert kept.pipelines[0].commit == RESULTS
    assert kept.ended == first.ended


def test_what_another_version_wrote_counts_as_nothing(site: Site) -> None:
    """A run that cannot be read is left out of lists; nothing breaks."""
    site.redis.set(redis_keys.run(RUN), b'{"pipelines": [{"novel": 1}]}')
    site.redis.zadd(redis_keys.runs(), {RUN: 1.0})
    assert site.runs.get(RUN) is None
    assert [] == site.runs.recent()


# -- the runs of a branch ----------------------------------------------------------------------


def test_a_run_that_a_push_replaces_is_superseded(site: Site) -> None:
    """It names the run that did, which names it; it has an end, and is open until its statuses are posted."""
    first = save(site, [make_job()])
    second, replaced = site.runs.save(replace(first, commit="a" * 40))

    assert replaced is not None
    assert (RUN, second.id) == (replaced.id, replaced.superseded_by)
    assert ("superseded", replaced) == (replaced.state, site.runs.get(RUN))
    assert (RUN, second.id) == (second.previous, site.runs.next(RUN))
    assert {RUN, second.id} == {run.id for run in site.runs.open()}
    site.runs.close(RUN)
    assert [second.id] == [run.id for run in site.runs.open()]


def test_a_plan_that_does_something_after_the_end_is_a_run_of_its_own(site: Site) -> None:
    """One that does nothing changes nothing; nothing of the ended run is overwritten."""
    first = save(site, [make_job()], state="settled")
    same, _ = site.runs.save(replace(first, cause="reconciler"))
    assert RUN == same.id
    kept = site.runs.get(RUN)

    second, replaced = site.runs.save(
        replace(first, id=RUN, cause="lab/raw@d0750cb has moved"), active=True
    )

    assert replaced is None
    assert (2, RUN, "lab/raw@d0750cb has moved") == (second.attempt, second.previous, second.cause)
    assert kept == site.runs.get(RUN)
    assert [second.id, RUN] == [run.id for run in site.runs.recent()]


def test_a_plan_from_before_a_request_does_not_end_the_requested_run(site: Site) -> None:
    """The plan that follows the request does."""
    first = save(site, [make_job()])
    asked = site.runs.request(REPOSITORY, "main", "retry requested")
    assert asked is not None

    failed = replace(first.pipelines[0], state="failed")
    site.runs.save(replace(first, pipelines=[failed]), active=True, since=RUN)
    waiting = site.runs.get(asked.id)
    assert waiting is not None
    assert not waiting.has_ended

    site.runs.save(replace(first, pipelines=[failed]), since=asked.id)
    ended = site.runs.get(asked.id)
    assert ended is not None
    assert ended.has_ended


def test_a_branch_that_goes_back_gets_a_new_run(site: Site) -> None:
    """A commit that was pushed before is another push."""
    first = save(site, [make_job()], state="settled")
    site.runs.save(replace(first, commit="a" * 40))
    again, _ = site.runs.save(first)

    assert (2, COMMIT) == (again.attempt, again.commit)
    assert again.id != RUN


def test_all_datums_with_something_to_do_are_kept(site: Site) -> None:
    """However many there are, and the counts of lists are those of the run."""
    run = save(site, [make_job(number) for number in range(3000)])
    kept = site.runs.get(RUN)
    assert kept == run
    assert 3003 == len(kept.pipelines[0].datums)
    assert {"waiting": 3000, "reused": 3} == site.runs.recent()[0].pipelines[0].counts


def test_runs_of_former_versions_are_indexed(site: Site) -> None:
    """The latest of each branch, and those that have not ended."""
    save(site, [make_job()])
    site.redis.delete(
        redis_keys.open_runs(), redis_keys.branch_run(redis_keys.branch_id(REPOSITORY, "main"))
    )
    site.runs.index()

    assert RUN == site.runs.current(REPOSITORY, "main")
    assert [RUN] == [run.id for run in site.runs.open()]
