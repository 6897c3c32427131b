"""The page of a datum: command, inputs, outputs, pictures and times; what a command wrote harms nobody."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.planning.job_and_datum_details import (
    DatumDetails,
    JobDetails,
    Preview,
    format_details,
    parse_details,
    picture_type,
)
from tea_runner.wiring import Site
from tests.looking import COMMIT, RESULTS, RUN, begin, make_job, save
from tests.web.browser import Page, see

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
FORMER = PNG + b"former"
JOB = make_job(1)
KEY = JOB.datums[0][1]
DETAILS = JobDetails(
    command=("python3", "code/fit.py", "<b>"),
    image="python@sha256:1234",
    variables={"THREADS": "2"},
    view="pfs",
    spec_path="edges/pipeline.yml",
    spec_line=7,
    datums={
        KEY: DatumDetails(
            inputs=(("raw/a b.jpg", 1000),),
            outputs=(("edges/1.png", 48), ("edges/1.csv", 12)),
            more_outputs=3,
            previews=(
                Preview(path="edges/1.png", type="image/png", data=PNG, before=FORMER),
                Preview(path="edges/1.csv", type="text/plain", data=b"a,b\n<script>,2"),
                Preview(path="edges/x.png", type="image/png", data=b"<svg onload=alert(1)>"),
            ),
        )
    },
)


@pytest.fixture
def done(site: Site) -> Site:
    """A job that is done, with what its worker noted."""
    claim = begin(site, JOB, b"ok\n")
    times = {"fetch_seconds": "1.5", "run_seconds": "20.0", "store_seconds": "0.5"}
    site.jobs.set_fields(JOB.id, seconds="22.0", **times)
    site.measures.save(JOB.id, [DatumMeasures(KEY, 19.0, 38.0, 3 << 20, 1000, 60)])
    site.measures.save_details(JOB.id, DETAILS)
    site.jobs.finish(claim, "done")
    save(site, [JOB], state="settled")
    return site


def test_details_are_read_back_and_nothing_else_is() -> None:
    """Text of somebody else in Redis is no details."""
    assert DETAILS == parse_details(format_details(DETAILS))
    for text in ("", "{}", "[]", '{"datums": 1}', "[" * 9999, '{"datums": {"k": [1]}}'):
        with pytest.raises(ValueError):
            parse_details(text)


@pytest.mark.parametrize("path", [f"/jobs/{JOB.id}/datums/{KEY}", f"/jobs/{JOB.id}"])
def test_a_datum_shows_what_ran_and_what_it_made(done: Site, pages: FlaskClient, path: str) -> None:
    """Also on the page of its job, when it is the only one; files lead to the forge."""
    html = pages.get(path).text
    page = Page(html)
    for words in (
        *("python3 code/fit.py <b>", "python@sha256:1234", "THREADS=2", "edges/pipeline.yml"),
        *("19 s", "38 s", "3.0 MiB", "1000 bytes", "and 3 more", "a,b\n<script>,2"),
    ):
        assert words in page.text, words
    forge = "http://forge.example:3000/lab/edges/src/commit"
    assert f"{forge}/{COMMIT}/raw/a%20b.jpg" in page.links()
    assert f"{forge}/{RESULTS}/edges/1.png" in page.links()
    assert f"{forge}/{COMMIT}/edges/pipeline.yml#L7" in page.links()
    assert "<script>," not in html


def test_a_job_shows_where_its_time_went(done: Site, pages: FlaskClient) -> None:
    """And leads to each datum, as does the run."""
    page = see_with_pictures(pages, f"/jobs/{JOB.id}")
    assert "1.5 s, 20 s, 0.5 s" in page.text
    link = f"/jobs/{JOB.id}/datums/{KEY[:16]}"
    assert link in page.links()
    assert link in see(pages, f"/runs/{RUN}").links()


def see_with_pictures(pages: FlaskClient, path: str) -> Page:
    """A page that may have pictures of this server."""
    page = Page(pages.get(path).text)
    pictures = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert all(each.startswith("/jobs/") for each in pictures)
    return page


def test_pictures_are_pictures_and_nothing_else(done: Site, pages: FlaskClient) -> None:
    """By their bytes, not by their names; no other origin and no script has anything from them."""
    answer = pages.get(f"/jobs/{JOB.id}/datums/{KEY}/pictures/0")
    assert (200, "image/png", PNG) == (answer.status_code, answer.mimetype, answer.data)
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    former = pages.get(f"/jobs/{JOB.id}/datums/{KEY}/pictures/0/before")
    assert (200, "image/png", FORMER) == (former.status_code, former.mimetype, former.data)
    assert 404 == pages.get(f"/jobs/{JOB.id}/datums/{KEY}/pictures/1/before").status_code
    # The text, a picture that is SVG, and one that is not there.
    for number in (1, 2, 3, 99999):
        path = f"/jobs/{JOB.id}/datums/{KEY}/pictures/{number}"
        assert 404 == pages.get(path).status_code, number
    for path in (f"/jobs/{JOB.id}/datums/{KEY[:8]}", f"/jobs/{JOB.id}/datums/{'f' * 64}"):
        assert 404 == pages.get(path).status_code


def test_a_changed_picture_is_shown_before_and_after(done: Site, pages: FlaskClient) -> None:
    """Side by side; details of an earlier version have none before."""
    page = see_with_pictures(pages, f"/jobs/{JOB.id}/datums/{KEY}")
    pictures = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    path = f"/jobs/{JOB.id}/datums/{KEY[:16]}/pictures"
    assert [f"{path}/0/before", f"{path}/0", f"{path}/2"] == pictures
    old = json.loads(format_details(DETAILS))
    for row in old["datums"][KEY][4]:
        row.pop()
    previews = parse_details(json.dumps(old)).datums[KEY].previews
    assert [b"", b"", b""] == [each.before for each in previews]


def test_only_pictures_without_programs_are_known() -> None:
    """SVG and HTML are none, whatever they are called."""
    assert "image/png" == picture_type(PNG)
    assert "image/webp" == picture_type(b"RIFF1234WEBPVP8 ")
    for data in (b"<svg/>", b"<html>", b"", b"RIFF1234WAVE", b"BM", b"%PDF-1.7"):
        assert "" == picture_type(data)


def test_a_datum_without_notes_has_a_page(site: Site, pages: FlaskClient) -> None:
    """While it runs, and of jobs of former versions."""
    begin(site, JOB)
    save(site, [replace(JOB)])
    page = see(pages, f"/jobs/{JOB.id}/datums/{KEY}")
    assert "Inputs and outputs are known when the job has ended." in page.text
