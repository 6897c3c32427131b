"""Who asked for a retry, a recompute or a cancellation is a fact of the run and of the job."""

from __future__ import annotations

import os
import pwd
import socket
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from tea_runner.wiring import Site
from tests.cli.test_looking import Terminal, tea
from tests.looking import REPOSITORY, RUN, begin, fail, make_job, save
from tests.web.conftest import pages

__all__ = ["pages", "tea"]

ME = f"{pwd.getpwuid(os.getuid()).pw_name} on {socket.gethostname()}"


@pytest.mark.parametrize(
    ("verb", "cause"), [("retry", "retry requested"), ("recompute", "recompute requested")]
)
def test_a_requested_run_names_who_requested_it(
    site: Site, tea: Terminal, pages: FlaskClient, verb: str, cause: str
) -> None:
    """In JSON, in the terminal, and on its page; the plan that follows keeps it."""
    job = make_job()
    save(site, [job], state="failed")
    fail(site, job)
    new = tea.data(verb, RUN)["run"]
    shown = tea.data("show", new)

    assert (cause, ME) == (shown["cause"], shown["requested_by"])
    assert f"after run {RUN}: {cause} by {ME}" in tea("show", new).stdout
    page = pages.get(f"/runs/{new}").text
    assert f"{cause} by {ME}" in page

    run = site.runs.get(new)
    assert run is not None
    planned, _ = site.runs.save(replace(run, requested_by="", cause="its jobs have ended"))
    assert (ME, cause) == (planned.requested_by, planned.cause)


def test_a_request_that_replaces_a_run_is_named_with_its_author(site: Site) -> None:
    """The run that did not end says by whom."""
    save(site, [make_job()])
    site.runs.request(REPOSITORY, "main", "retry requested", by="amy")
    replaced = site.runs.get(RUN)

    assert replaced is not None
    assert replaced.superseded.endswith("of the same commit (retry requested by amy)")


def test_a_pushed_run_was_requested_by_nobody(site: Site, tea: Terminal) -> None:
    """Its author is that of the commit."""
    save(site, [make_job()])

    assert "" == tea.data("show", RUN)["requested_by"]
    assert "" == tea.data("show", RUN)["cancelled_by"]


@pytest.mark.long
@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_a_cancelled_run_and_its_job_name_who_cancelled(
    site: Site, tea: Terminal, pages: FlaskClient, running: bool, whole: bool
) -> None:
    """Whether the run or one of its jobs was named, and whether the job had begun."""
    job = make_job()
    save(site, [job])
    claim = begin(site, job) if running else site.jobs.enqueue(job)
    tea("cancel", RUN if whole else job.id)
    if running:
        site.jobs.release(claim)
    (_, key), *_ = job.datums

    assert ME == tea.data("show", RUN)["cancelled_by"]
    assert f"cancelled by {ME}" in tea("show", RUN).stdout
    assert ME == tea.data("show", job.id)["cancelled_by"]
    assert site.jobs.failures(REPOSITORY, [key])[key].sentence.startswith(f"{ME} cancelled it")
    assert f"<dd>{ME}</dd>" in pages.get(f"/runs/{RUN}").text
    assert f"<dd>{ME}</dd>" in pages.get(f"/jobs/{job.id}").text


def test_a_cancellation_of_what_has_ended_names_nobody(site: Site, tea: Terminal) -> None:
    """Nothing was cancelled."""
    job = make_job()
    save(site, [job], state="settled")
    site.jobs.finish(begin(site, job), "done")
    tea("cancel", RUN)

    assert "" == tea.data("show", RUN)["cancelled_by"]
    assert "" == tea.data("show", job.id)["cancelled_by"]


def test_a_job_that_was_cancelled_and_tried_again_names_nobody(site: Site) -> None:
    """The cancellation is of the former try."""
    job = make_job()
    site.jobs.enqueue(job)
    site.jobs.cancel(job.id, by="amy")
    site.jobs.enqueue(job)

    assert "" == site.jobs.facts([job.id])[job.id].cancelled_by
