"""Where a datum's data come from and go to, and the runs that a push led to, as pictures."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tea_runner.core.access import AccessLevel
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_and_datum_details import DatumDetails, JobDetails
from tea_runner.core.planning.run import PipelineRun, Run, run_id
from tea_runner.core.planning.run_datum_states import DatumRow
from tea_runner.wiring import Site
from tests.looking import COMMIT, REPOSITORY, RESULTS, RUN, begin, make_job, save
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import data, make_stranger, see

#: Pipeline, what it reads, and its only file.
_STEPS = (("scale", "raw/1.jpg"), ("edges", "scale/1.jpg"), ("montage", "edges/1.png"))


@pytest.fixture
def chain(site: Site) -> dict[str, Job]:
    """A run of three pipelines in a row, of which all jobs are done."""
    jobs, rows = {}, []
    outputs = {"scale": "scale/1.jpg", "edges": "edges/1.png", "montage": "montage/all.png"}
    for number, (name, read) in enumerate(_STEPS):
        job = make_job(number + 1, f"in:{number}.jpg", pipeline=name)
        claim = begin(site, job)
        key = job.datums[0][1]
        details = DatumDetails(
            inputs=((read, 100), ("raw/<b>.tsv", 5)), outputs=((outputs[name], 50),)
        )
        site.measures.save_details(job.id, JobDetails(command=("true",), datums={key: details}))
        site.jobs.finish(claim, "done")
        jobs[name] = job
        rows.append(
            PipelineRun(
                name=name,
                state="settled",
                commit=RESULTS,
                home=name,
                jobs=[job.id],
                upstream=[_STEPS[number - 1][0]] if number else [],
                datums=[DatumRow(job.datums[0][0], key, "done", "new", "")],
            )
        )
    site.runs.save(Run(id=RUN, repository=REPOSITORY, branch="main", commit=COMMIT, pipelines=rows))
    return jobs


def _address(job: Job) -> str:
    return f"/jobs/{job.id}/datums/{job.datums[0][1][:16]}"


def test_a_datum_shows_where_its_data_come_from_and_go_to(
    chain: dict[str, Job], pages: FlaskClient
) -> None:
    """Its files, and the datums that made them and read them, each with its page."""
    page = see(pages, _address(chain["edges"]))
    assert "svg" in page.tags
    for words in ("scale: in:0.jpg", "montage: in:2.jpg", "raw/<b>.tsv"):
        assert words in page.text, words
    for name in ("scale", "montage"):
        assert _address(chain[name]) in page.links()
    first = see(pages, _address(chain["scale"]))
    assert "raw/1.jpg" in first.text
    assert _address(chain["edges"]) in first.links()
    # What is further away is a pipeline.
    assert f"/runs/{RUN}#pipeline-3" in first.links()


def _downstream(site: Site, repository: str) -> Run:
    run = Run(
        id=run_id(repository, "main", "e" * 40),
        repository=repository,
        branch="main",
        commit="e" * 40,
        pipelines=[],
        causes=[COMMIT],
        pins=[f"{REPOSITORY}@{RESULTS}"],
        title="follow",
    )
    return site.runs.save(run)[0]


def test_the_runs_that_a_push_led_to_are_a_picture(site: Site, pages: FlaskClient) -> None:
    """Of those whose repositories the viewer may read; as JSON as well."""
    save(site, [make_job(1)], state="settled")
    below = _downstream(site, "lab/below")
    page = see(pages, f"/runs/{RUN}/downstream")
    assert "svg" in page.tags
    assert f"/runs/{below.id}" in page.links()
    assert "lab/below" in page.text
    assert f"/runs/{RUN}/downstream" in see(pages, f"/runs/{RUN}").links()
    rows = data(pages, f"/runs/{RUN}/downstream.json")["runs"]
    assert [(RUN, []), (below.id, [RUN])] == [(row["id"], row["upstream"]) for row in rows]
    assert 404 == pages.get(f"/runs/{'0' * 12}/downstream").status_code


def test_runs_of_others_repositories_are_not_in_the_picture(site: Site) -> None:
    """Nor is what only they lead to."""
    save(site, [make_job(1)], state="settled")
    below = _downstream(site, "lab/below")
    accounts = MemoryAccounts()
    accounts.add("ada", "ada-token")
    accounts.let("ada", REPOSITORY, AccessLevel.READ)
    vars(site)["accounts"] = accounts
    ada = make_stranger(site)
    ada.environ_base["HTTP_AUTHORIZATION"] = "Bearer ada-token"
    answer = ada.get(f"/runs/{RUN}/downstream")
    assert 200 == answer.status_code
    assert "lab/below" not in answer.text
    assert below.id not in answer.text
