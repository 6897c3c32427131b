"""The pages: what they show, in both forms, with nothing there and with everything hostile."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tea_runner import __version__
from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.planning.run import run_id
from tea_runner.wiring import Site
from tests.looking import COMMIT, REPOSITORY, RESULTS, RUN, begin, fail, make_job, make_site, save
from tests.web.browser import data, make_client, make_stranger, see


def test_an_empty_home_says_how_to_connect_a_repository(pages: FlaskClient) -> None:
    """Three commands, with the forge's own address."""
    page = see(pages, "/")
    assert "tea-runner webhook add OWNER/REPO" in page.text
    assert "git remote add origin http://forge.example:3000/OWNER/REPO.git" in page.text
    assert "git push origin HEAD git-annex" in page.text
    assert {"repositories": []} == data(pages, "/index.json")


@pytest.mark.parametrize("path", ["/", "/workers", "/about"])
def test_pages_stand_in_an_empty_redis(pages: FlaskClient, path: str) -> None:
    """Nothing there is no error, in both forms."""
    see(pages, path)
    data(pages, "/index.json" if path == "/" else path + ".json")


@pytest.mark.parametrize(
    "path",
    [
        "/runs/" + "0" * 12,
        "/runs/x",
        "/jobs/" + "0" * 32,
        "/jobs/..",
        "/jobs/*",
        "/repos/lab/none",
        "/repos/lab/%3Cscript%3E",
        "/repos/%1b/%ff",
        "/jobs/" + "0" * 32 + "/log",
        "/runs/%5B%5E%5D",
    ],
)
def test_what_is_not_there_is_said_in_both_forms(pages: FlaskClient, path: str) -> None:
    """404 with a sentence, never a traceback and never an echo of the address."""
    assert "not found" in see(pages, path, 404).text
    if not path.endswith("/log"):
        assert data(pages, path + ".json", 404)["error"]


def test_home_lists_repositories_with_their_last_runs(site: Site, pages: FlaskClient) -> None:
    """The latest first; each of the last ten is one shape with a word; hooks count as connected."""
    site.webhooks.keep(site.webhooks.new("gitea", "lab/quiet"))
    for number in range(12):
        save(site, [make_job()], state="settled", commit=f"{number:040x}", title=f"Push {number}")
    page = see(pages, "/")
    assert "1 done, 4 reused" in page.text
    assert page.text.index(REPOSITORY) < page.text.index("lab/quiet")
    chips = [value for tag, name, value in page.attributes if (tag, name) == ("a", "aria-label")]
    assert [f"done: Push {number}" for number in range(2, 12)] == chips
    rows = data(pages, "/index.json")["repositories"]
    assert ["lab/edges", "lab/quiet"] == [row["name"] for row in rows]
    assert {"done": 1, "reused": 4} == rows[0]["runs"][0]["counts"]


def test_home_can_be_filtered_without_scripts(site: Site, pages: FlaskClient) -> None:
    """The filter is a form; what fits nothing says so, and is no markup."""
    save(site, [])
    assert REPOSITORY in see(pages, "/?q=EDG").text
    page = see(pages, "/?q=%3Cscript%3E")
    assert "No repository matches “<script>”" in page.text


def test_a_repository_lists_its_runs_by_state(site: Site, pages: FlaskClient) -> None:
    """Commit, author, branch and counts; one state's runs alone when asked."""
    save(site, [make_job()])
    save(site, [], state="settled", commit="a" * 40, branch="other", title="Older", author="Grace")
    page = see(pages, f"/repos/{REPOSITORY}")
    assert "Add photographs" in page.text
    assert "by Grace" in page.text
    assert "http://forge.example:3000/lab/edges" in page.links()
    page = see(pages, f"/repos/{REPOSITORY}?state=reused")
    assert "Older" in page.text
    assert "Add photographs" not in page.text
    twin = data(pages, f"/repos/{REPOSITORY}.json?state=reused")
    assert ["a" * 40] == [row["commit"] for row in twin["runs"]]


def test_many_runs_come_in_pages(site: Site, pages: FlaskClient) -> None:
    """A hundred a page; a page that is not there is the last one."""
    for number in range(103):
        save(site, [], state="settled", commit=f"{number:040x}", title=f"Push {number};")
    assert "page 1 of 2" in see(pages, f"/repos/{REPOSITORY}").text
    page = see(pages, f"/repos/{REPOSITORY}?page=99")
    assert "Push 0;" in page.text
    assert "Push 50;" not in page.text
    for wrong in ("-1", "x", "9" * 30):
        see(pages, f"/repos/{REPOSITORY}?page={wrong}")


def test_a_run_shows_how_every_datum_stands_and_why(site: Site, pages: FlaskClient) -> None:
    """One count per state, adding up; reasons in sentences; a link from each datum to its job."""
    jobs = [make_job(number) for number in range(1, 5)]
    site.jobs.finish(begin(site, jobs[0]), "done")
    begin(site, jobs[1])
    fail(site, jobs[2], "the command ended with code 1: no such colour")
    site.jobs.enqueue(jobs[3])
    save(site, jobs)
    page = see(pages, f"/runs/{RUN}")
    assert "1 done, 3 reused, 1 running, 1 waiting, 1 failed" in page.text
    assert "1 done + 3 reused / 7" in page.text
    assert "waits for edges" in page.text
    assert "it had not been computed before" in page.text
    assert "the command ended with code 1: no such colour" in page.text
    assert {f"/jobs/{job.id}" for job in jobs} <= set(page.links())
    assert f"http://forge.example:3000/lab/edges/commit/{COMMIT}" in page.links()
    twin = data(pages, f"/runs/{RUN}.json")
    assert {"failed": 1, "running": 1, "waiting": 1, "done": 1, "reused": 3} == twin["counts"]
    assert 7 == len(twin["pipelines"][0]["datums"]) == sum(twin["counts"].values())


def test_a_run_draws_what_reads_what(site: Site, pages: FlaskClient) -> None:
    """The picture is inline, so that it works under the strict policy, and its boxes lead on."""
    save(site, [])
    page = see(pages, f"/runs/{RUN}")
    assert "svg" in page.tags
    assert f"/runs/{RUN}#pipeline-2" in page.links()


def test_datums_can_be_chosen_by_state_and_pipeline(site: Site, pages: FlaskClient) -> None:
    """The choice is an address, so it can be sent to somebody."""
    save(site, [make_job()])
    page = see(pages, f"/runs/{RUN}?state=reused&pipeline=1")
    assert "images:old1.jpg" in page.text
    assert "images:1.jpg" not in page.text
    assert "of edges (all pipelines)" in page.text
    assert "images:old1.jpg" not in see(pages, f"/runs/{RUN}?pipeline=2").text
    see(pages, f"/runs/{RUN}?pipeline=-3&state={'x' * 999}")
    assert "No datums match" in see(pages, f"/runs/{RUN}?state=blocked").text


def test_a_running_page_loads_itself_again_and_an_ended_one_does_not(
    site: Site, pages: FlaskClient
) -> None:
    """Every five seconds, by the page itself."""
    save(site, [make_job()])
    save(site, [], state="settled", commit="a" * 40, branch="other")
    ended = run_id(REPOSITORY, "other", "a" * 40)
    assert ("meta", "http-equiv", "refresh") in see(pages, f"/runs/{RUN}").attributes
    assert ("meta", "http-equiv", "refresh") not in see(pages, f"/runs/{ended}").attributes


def test_a_run_links_the_branch_with_its_results(site: Site, pages: FlaskClient) -> None:
    """Where the results are beside the branch, on the page and in JSON."""
    name = "tea/results/fix"
    run = save(site, [make_job()], state="settled", branch="fix", results_branch=name)
    page = pages.get(f"/runs/{run.id}").get_data(as_text=True)

    assert f"/{REPOSITORY}/src/branch/{name}" in page
    assert f">{name}</a>" in page
    assert name == pages.get(f"/runs/{run.id}.json").get_json()["results_branch"]


def test_a_settled_run_leads_to_its_results(site: Site, pages: FlaskClient) -> None:
    """The results commit's page on the forge, and the signer that proves them."""
    save(site, [], state="settled")
    page = see(pages, f"/runs/{RUN}")
    assert page.text.count("proven by tea-runner@lab") == 1
    pipelines = data(pages, f"/runs/{RUN}.json")["pipelines"]
    assert ["tea-runner@lab", ""] == [each["signer"] for each in pipelines]
    assert f"http://forge.example:3000/lab/edges/commit/{RESULTS}" in page.links()


def test_problems_of_a_push_are_shown(site: Site, pages: FlaskClient) -> None:
    """A pipeline file that cannot be read is what the page is about."""
    save(site, [], state="blocked", problems=["edges/spec.yml:3: input: expected a mapping"])
    assert "edges/spec.yml:3: input: expected a mapping" in see(pages, f"/runs/{RUN}").text


def test_a_job_shows_its_facts_its_log_and_how_to_repeat_it(site: Site, pages: FlaskClient) -> None:
    """Who, when, why, what was printed, and the commands for one's own computer."""
    job = make_job()
    site.jobs.set_fields(job.id, fetched="4300000")
    claim = begin(site, job, b"reading\n\x1b[32mok\x1b[0m\n")
    site.jobs.set_fields(job.id, fetched="4300000")
    save(site, [job])
    page = see(pages, f"/jobs/{job.id}")
    for words in (
        "running",
        "worker-node1-77-ab12",
        "4.1 MiB",
        "images:1.jpg",
        "reading",
        "ok",
        "it had not been computed",
        "git clone http://forge.example:3000/lab/edges.git",
        f"git checkout -q -b again {COMMIT}",
        "tea-runner exec --pipeline edges -- images:1.jpg",
        f"shell {job.id[:10]}",
    ):
        assert words in page.text
    assert f"/runs/{RUN}" in page.links()
    assert f"/jobs/{job.id}/log" in page.links()
    site.jobs.finish(claim, "done")
    save(site, [job], state="settled")
    page = see(pages, f"/jobs/{job.id}")
    assert f"Tea-Key: {job.datums[0][1]}" in page.text
    assert "datalad rerun" in page.text
    assert f"http://forge.example:3000/lab/edges/commit/{RESULTS}" in page.links()
    twin = data(pages, f"/jobs/{job.id}.json")
    assert twin["state"] == "done"
    assert twin["run"] == RUN
    assert twin["datums"][0]["reason"] == "new"


def test_a_raw_log_is_plain_text_in_any_part(site: Site, pages: FlaskClient) -> None:
    """As it was printed, never HTML; the end alone, or a range, without reading the rest."""
    job = make_job()
    printed = b"<script>\n\x1b[31m" + b"\xff" + b"x" * 100_000 + b"END"
    begin(site, job, printed)
    path = f"/jobs/{job.id}/log"
    whole = pages.get(path)
    assert whole.data == printed
    assert whole.mimetype == "text/plain"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert pages.get(path + "?tail=3").data == b"END"
    part = pages.get(path, headers={"Range": "bytes=0-7"})
    assert (part.status_code, part.data) == (206, b"<script>")
    assert part.headers["Content-Range"] == f"bytes 0-7/{len(printed)}"
    assert pages.get(path, headers={"Range": "bytes=-3"}).data == b"END"
    assert pages.get(path, headers={"Range": "bytes=999999-"}).status_code == 416
    assert pages.get(path, headers={"Range": "nonsense"}).data == printed


def test_a_page_shows_the_end_of_a_long_log(site: Site, pages: FlaskClient) -> None:
    """So much that it can be read, and a link to the rest."""
    job = make_job()
    begin(site, job, b"first line\n" + b"a line of the middle\n" * 20_000 + b"last line\n")
    answer = pages.get(f"/jobs/{job.id}")
    assert len(answer.data) < 100_000
    assert "last line" in answer.text
    assert "first line" not in answer.text


def test_workers_and_queues_are_counted(site: Site, pages: FlaskClient) -> None:
    """Who is at what, and how long the line is."""
    begin(site, make_job(1))
    site.jobs.enqueue(make_job(2))
    page = see(pages, "/workers")
    assert "worker-node1-77-ab12" in page.text
    assert f"/jobs/{make_job(1).id}" in page.links()
    twin = data(pages, "/workers.json")
    assert {"plan": 0, "job": 2} == twin["queues"]
    assert "busy" == twin["workers"][0]["state"]


def test_the_version_is_told_to_accounts(site: Site, pages: FlaskClient) -> None:
    """For programs that compare it; strangers do not learn it."""
    assert {"version": __version__} == data(pages, "/version")
    assert 401 == make_stranger(site).get("/version").status_code


def test_about_masks_secrets_and_names_sources(broker: RedisServer, tmp_path: Path) -> None:
    """Every setting with where it was said; no secret in either form."""
    site = make_site(broker, tmp_path, forge__token="canary-token")
    client = make_client(site)
    for path in ("/about", "/about.json"):
        answer = client.get(path)
        assert "canary" not in answer.text
        assert "the command line" in answer.text
        assert "git-annex" in answer.text
    assert "***" in see(client, "/about").text


@pytest.mark.parametrize("strips", [True, False], ids=["stripped", "kept"])
def test_pages_work_below_a_path(broker: RedisServer, tmp_path: Path, strips: bool) -> None:
    """Whether the proxy takes the path away or not, links carry it and pages are found."""
    site = make_site(broker, tmp_path, web__url="https://lab.example/tea")
    site.redis.flushall()
    save(site, [make_job()])
    client = make_client(site)
    below = "" if strips else "/tea"
    for path in ("/", f"/runs/{RUN}", "/workers"):
        page = see(client, below + path)
        ours = [link for link in page.links() if link.startswith("/")]
        assert ours
        assert all(link.startswith("/tea/") for link in ours)
    assert client.get(below + "/healthz").status_code == 200
    with client.get(below + "/static/style.css") as sheet:
        assert sheet.status_code == 200
    assert client.get("/teapot").status_code == 404


def test_a_redis_that_is_away_is_said(tmp_path: Path) -> None:
    """503 and a sentence in both forms; the page still has its frame."""

    class Gone:
        url = f"unix://{tmp_path}/none.sock"

    client = make_client(make_site(Gone(), tmp_path))  # type: ignore[arg-type]
    assert "Redis does not answer" in see(client, "/", 503).text
    assert "Redis does not answer" in data(client, "/index.json", 503)["error"]
    assert "Redis does not answer" in see(client, "/workers", 503).text
