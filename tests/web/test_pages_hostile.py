"""The pages when everything that others can write is hostile."""

from __future__ import annotations

import json
import re

import pytest
from flask.testing import FlaskClient

from tea_runner.broker import redis_keys
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.run import PipelineRun, Run
from tea_runner.core.planning.run_datum_states import DatumRow
from tea_runner.wiring import Site
from tests.looking import COMMIT, REPOSITORY, RUN, make_job, save
from tests.web.browser import data, see

#: What people may have written into names, titles, authors, branches, errors and logs.
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7*7 }}{% raw %}",
    "\x1b]0;owned\x07\x1b[31m",
    "a\u202egpj.exe",
    "\udcff\udcfe\ud800",
    "a\0b\nc\td",
    "javascript:alert(1)",
    "../../etc/passwd",
    "x" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(site: Site, pages: FlaskClient, text: str) -> None:
    """In every field that others can write, on every page, in both forms."""
    key = "k" * 64
    job = Job(
        repository=REPOSITORY,
        # Git has branches that are no UTF-8, but none that is half a character.
        branch=text.replace("\ud800", ""),
        commit=COMMIT,
        pipeline=text,
        datums=((text, key),),
    )
    site.jobs.enqueue(job)
    claim = site.jobs.claim(job.id, text.encode("utf-8", "replace").decode(), "token")
    assert claim is not None
    site.redis.append(redis_keys.log_head(job.id), text.encode("utf-8", "surrogatepass"))
    error = text.encode("utf-8", "replace").decode()
    pipelines = [
        PipelineRun(
            name=text,
            state="failed",
            counts={"failed": 1},
            detail=text,
            home=text,
            commit=text,
            jobs=[job.id],
            datums=[DatumRow(text, key, "failed", text, text)],
        ),
        PipelineRun(
            name="below",
            state="blocked",
            reason="blocked-by-failure",
            detail=text,
            upstream=[text, "below"],
        ),
    ]
    run = Run(
        id=RUN,
        repository=REPOSITORY,
        branch=text.replace("\ud800", ""),
        commit=COMMIT,
        title=text,
        author=text,
        pipelines=pipelines,
        problems=[text],
    )
    run = site.runs.save(run)[0]
    site.redis.sadd("rq:workers", error)
    for path in ("/", f"/repos/{REPOSITORY}", f"/runs/{run.id}", f"/jobs/{job.id}", "/workers"):
        see(pages, path)
        json.dumps(data(pages, "/index.json" if path == "/" else path + ".json"))
    site.jobs.finish(claim, "failed", error)
    see(pages, f"/jobs/{job.id}")


def test_names_of_repositories_that_can_be_none_are_left_out(
    site: Site, pages: FlaskClient
) -> None:
    """What stands in Redis is not believed to be a name only because it stands there."""
    for name in ("../x", "a/b/c", "<b>/x", "lab/\x1b", "alone"):
        site.redis.zadd(redis_keys.repositories(), {name: 1.0})
    assert [] == data(pages, "/index.json")["repositories"]


def test_a_job_that_the_planner_did_not_write_is_shown_as_such(
    site: Site, pages: FlaskClient
) -> None:
    """Foreign rows in Redis break nothing and are not taken for jobs of ours."""
    name = "f" * 32
    site.redis.hset(
        redis_keys.job(name), mapping={b"state": b"running", b"\xff": b"\xff", b"body": b"{"}
    )
    assert "no valid signature of the planner" in see(pages, f"/jobs/{name}").text
    assert data(pages, f"/jobs/{name}.json")["datums"] == []


def test_every_reader_gets_a_word_and_a_shape(site: Site, pages: FlaskClient) -> None:
    """No state is told by its colour alone."""
    save(site, [make_job()])
    html = pages.get(f"/runs/{RUN}").text
    for found in re.findall(r'<span class="state (\w+)">(.*?)</span> (\w+)</span>', html):
        assert found[0] == found[2]
        assert found[1].endswith(tuple("✗⊘■▶○✓↻"))
    assert html.count('class="state ') >= 5
