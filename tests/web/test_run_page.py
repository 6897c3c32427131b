"""A run's page: graph first, failures by cause, time left, datums that are searched and sorted."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from flask.testing import FlaskClient

from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.planning.job import Job
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, RUN, begin, fail, make_job, save
from tests.web.browser import see


def finish(site: Site, job: Job, *, seconds: float = 1.0, memory: int = 1 << 20) -> None:
    """Have a job done, with measures of its datums."""
    claim = begin(site, job)
    site.jobs.set_fields(job.id, seconds=str(seconds))
    rows = [DatumMeasures(key, seconds, 0.5, memory, 2048, 4096) for _, key in job.datums]
    site.measures.save(job.id, rows)
    site.jobs.finish(claim, "done")


def shown(html: str) -> list[str]:
    """Labels in the table of datums, in their order."""
    table = html[html.index('id="datum-table"') :]
    return re.findall(
        r'<td class="text label">(?:<a [^>]*>)?(images:[\w.-]+)(?:</a>)?</td>',
        table[: table.index("</table>")],
    )


def test_the_graph_is_before_everything_else(site: Site, pages: FlaskClient) -> None:
    """Behind the run's head; its boxes can be reached by keyboard and by readers of screens."""
    save(site, [make_job()])
    html = pages.get(f"/runs/{RUN}").text
    assert html.index('class="dag"') < html.index("<h2>Pipelines</h2>") < html.index("<h2 id=")
    assert 'role="group"' in html


def test_the_graph_is_a_file_with_its_own_style(site: Site, pages: FlaskClient) -> None:
    """Its policy allows this style and nothing else; it has no links, which lead nowhere in a file."""
    save(site, [make_job()])
    answer = pages.get(f"/runs/{RUN}/graph.svg")
    root = ET.fromstring(answer.text)
    assert "image/svg+xml" == answer.mimetype
    assert root.find("{http://www.w3.org/2000/svg}style") is not None
    assert root.find("{http://www.w3.org/2000/svg}a") is None
    assert "style-src 'sha256-" in answer.headers["Content-Security-Policy"]
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert f"/runs/{RUN}/graph.svg" in see(pages, f"/runs/{RUN}").links()
    assert 404 == pages.get(f"/runs/{'0' * 12}/graph.svg").status_code


def test_failures_are_grouped_by_what_was_printed_last(site: Site, pages: FlaskClient) -> None:
    """Numbers and paths differ, the cause does not; the group leads to its datums."""
    jobs = [make_job(number) for number in range(1, 5)]
    for number, job in enumerate(jobs[:3]):
        fail(site, job, f"the command exited 1: cannot read /pfs/in/{number}.jpg: no such colour")
    fail(site, jobs[3], "the command used more memory than its limit")
    save(site, jobs)
    page = see(pages, f"/runs/{RUN}")
    group = next(link for link in page.links() if "q=" in link and "state=failed" in link)
    assert "Failures by cause" in page.text
    assert 2 == page.text.split("Pipelines")[0].count("images:1.jpg") + page.text.split(
        "Pipelines"
    )[0].count("images:4.jpg")
    assert ["images:1.jpg", "images:2.jpg", "images:3.jpg"] == sorted(
        shown(pages.get(group.partition("#")[0]).text)
    )


def test_time_left_is_that_of_former_datums(site: Site, pages: FlaskClient) -> None:
    """From jobs of this run, or from those of runs before it; nothing is said where none ran."""
    jobs = [make_job(number) for number in range(1, 5)]
    for job in jobs:
        site.jobs.enqueue(job)
    save(site, jobs)
    assert "Time left" not in see(pages, f"/runs/{RUN}").text
    site.throughputs.record(REPOSITORY, "edges", datums=1, seconds=60.0)
    pages = make_again(site)
    assert "about 4 min" in see(pages, f"/runs/{RUN}").text
    finish(site, jobs[0], seconds=20.0)
    pages = make_again(site)
    assert "about 1 min" in see(pages, f"/runs/{RUN}").text


def make_again(site: Site) -> FlaskClient:
    """A client that remembers nothing of the second before."""
    from tests.web.browser import make_client

    return make_client(site)


def test_datums_are_sorted_by_what_was_measured(site: Site, pages: FlaskClient) -> None:
    """The largest first, those without measures last; the header says so to everybody."""
    jobs = [make_job(number) for number in range(1, 4)]
    for job, seconds, memory in zip(jobs, (3.0, 9.0, 5.0), (900, 100, 500), strict=True):
        finish(site, job, seconds=seconds, memory=memory << 20)
    save(site, jobs)
    by_time = pages.get(f"/runs/{RUN}?sort=seconds").text
    by_memory = pages.get(f"/runs/{RUN}?sort=memory").text
    assert ["images:2.jpg", "images:3.jpg", "images:1.jpg"] == shown(by_time)[:3]
    assert ["images:1.jpg", "images:3.jpg", "images:2.jpg"] == shown(by_memory)[:3]
    assert 'aria-sort="descending"' in by_time
    assert "9.0 s" in by_time
    assert "900.0 MiB" in by_time
    assert 200 == pages.get(f"/runs/{RUN}?sort=__class__&page=x&pipeline=-3&state=no").status_code


def test_datums_are_searched(site: Site, pages: FlaskClient) -> None:
    """By a part of the label, and by a part of the error; the form keeps the other choices."""
    jobs = [make_job(number) for number in range(1, 4)]
    fail(site, jobs[2], "the command exited 1: no such colour")
    save(site, jobs)
    assert ["images:2.jpg"] == shown(pages.get(f"/runs/{RUN}?q=s:2.JPG").text)
    assert ["images:3.jpg"] == shown(pages.get(f"/runs/{RUN}?q=such+colour").text)
    html = pages.get(f"/runs/{RUN}?sort=name&q=images").text
    assert '<input type="hidden" name="sort" value="name">' in html
    assert "No datums match." in see(pages, f"/runs/{RUN}?q=%3Cb%3E").text


def test_a_failed_run_says_what_is_kept(site: Site, pages: FlaskClient) -> None:
    """Good results are not lost, and a retry computes the others only."""
    jobs = [make_job(number) for number in range(1, 4)]
    fail(site, jobs[0])
    run = save(site, jobs, state="failed")
    rows = [
        row._replace(action="failed" if number == 0 else "done")
        for number, row in enumerate(run.pipelines[0].datums)
    ]
    from dataclasses import replace

    failed = replace(run.pipelines[0], datums=rows, counts={"failed": 1, "done": 2, "reused": 3})
    site.runs.save(replace(run, pipelines=[failed, *run.pipelines[1:]]))
    assert "5 good results are kept; a retry computes 1." in see(pages, f"/runs/{RUN}").text


def test_jobs_are_drawn_by_worker_over_time(site: Site, pages: FlaskClient) -> None:
    """A picture with the workers' names; of many jobs it does not grow."""
    jobs = [make_job(number) for number in range(1, 301)]
    for job in jobs:
        finish(site, job)
    save(site, jobs)
    html = pages.get(f"/runs/{RUN}").text
    assert 'class="timeline"' in html
    assert "worker-n" in html
    assert len(html) < 60_000


def test_a_large_run_is_read_once(site: Site, pages: FlaskClient) -> None:
    """Of 20,000 datums a page has fifty; a second look reads neither datums nor jobs' bodies again."""
    labels = [f"images:{number:06}.jpg" for number in range(20_000)]
    jobs = [make_job(n, *labels[n : n + 500]) for n in range(0, 20_000, 500)]
    for job in jobs[:10]:
        finish(site, job)
    save(site, jobs)
    html = pages.get(f"/runs/{RUN}?page=2").text
    assert 50 == len(shown(html))
    assert "5000 done, 3 reused" in html
    assert len(html) < 60_000
    before = site.redis.info("commandstats")["cmdstat_hgetall"]["calls"]
    network = site.redis.info("stats")["total_net_output_bytes"]
    pages.get(f"/runs/{RUN}?page=3")
    # Workers are looked at; none of the forty jobs is read as a whole.
    assert site.redis.info("commandstats")["cmdstat_hgetall"]["calls"] - before < 20
    assert site.redis.info("stats")["total_net_output_bytes"] - network < 400_000


def test_the_graph_is_on_the_repositorys_page(site: Site, pages: FlaskClient) -> None:
    """That of its latest run, with a link to it."""
    save(site, [make_job()])
    page = see(pages, f"/repos/{REPOSITORY}")
    assert f"/runs/{RUN}#pipeline-2" in page.links()
    assert f"/runs/{RUN}" in page.links()
