"""Sign-in with accounts of a real Gitea, and what each of them sees."""

from __future__ import annotations

import html
import re
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask.testing import FlaskClient

from tea_runner.broker.job_logs import JobLog
from tea_runner.broker.redis_server import RedisServer
from tea_runner.cli.sign_in_checks import check_sign_in
from tea_runner.core.planning.run import PipelineRun, Run, run_id
from tea_runner.core.planning.run_datum_states import DatumRow
from tea_runner.wiring import Site
from tests import gitea as real
from tests.looking import COMMIT, make_job, make_site
from tests.web.browser import make_stranger

pytestmark = pytest.mark.gitea

ROOT = "http://localhost:1706"


@dataclass
class Person:
    """An account of the forge, with a browser that has signed in there."""

    name: str
    browser: requests.Session
    gitea: real.Gitea

    @classmethod
    def make(cls, gitea: real.Gitea, name: str) -> Person:
        """A new account."""
        name, password = f"{name}-{secrets.token_hex(4)}", secrets.token_hex(12)
        fields = {"username": name, "email": f"{name}@example.org", "password": password}
        gitea.api("POST", "/admin/users", {**fields, "must_change_password": False})
        browser = requests.Session()
        login = f"{gitea.url}/user/login"
        form = {**_hidden(browser.get(login, timeout=30).text), "user_name": name}
        browser.post(login, data={**form, "password": password}, timeout=30)
        return cls(name, browser, gitea)

    def consent(self, url: str) -> str:
        """Follow the address to the forge and agree; returns where the forge sends the browser."""
        answer = self.browser.get(url, timeout=30, allow_redirects=False)
        if answer.status_code == 200:
            form = {**_hidden(answer.text), "granted": "true"}
            grant = f"{self.gitea.url}/login/oauth/grant"
            answer = self.browser.post(grant, data=form, timeout=30, allow_redirects=False)
        assert answer.status_code in (302, 303), answer.text[:2000]
        return answer.headers["Location"]

    def sign_in(self, client: FlaskClient, target: str = "/") -> str:
        """Sign in on the pages; returns where the person arrives."""
        begun = client.get("/sign-in/forge", query_string={"next": target})
        back = urlsplit(self.consent(begun.location))
        assert f"{back.scheme}://{back.netloc}{back.path}" == f"{ROOT}/sign-in/callback"
        answer = client.get(f"{back.path}?{back.query}")
        assert answer.status_code == 303, answer.text
        return str(answer.location)


def _hidden(page: str) -> dict[str, str]:
    found = {}
    for tag in re.findall(r"<input[^>]*>", page):
        words: dict[str, str] = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if words.get("type") == "hidden" and "name" in words:
            found[words["name"]] = html.unescape(words.get("value", ""))
    return found


@pytest.fixture
def site(broker: RedisServer, tmp_path: Path, gitea: real.Gitea) -> Site:
    """A server whose OAuth2 application is on the forge."""
    name = secrets.token_hex(4)
    about: dict[str, Any] = {"name": name, "redirect_uris": [f"{ROOT}/sign-in/callback"]}
    made = gitea.api("POST", "/user/applications/oauth2", {**about, "confidential_client": True})
    (tmp_path / "secret").write_text(made["client_secret"])
    (tmp_path / "token").write_text(gitea.bot_token)
    site = make_site(
        broker,
        tmp_path,
        forge__url=gitea.url,
        forge__token_file=str(tmp_path / "token"),
        web__url=ROOT,
        pages__oauth_client_id=made["client_id"],
        pages__oauth_secret_file=str(tmp_path / "secret"),
    )
    site.redis.flushall()
    return site


def _run(site: Site, repository: str) -> tuple[str, ...]:
    """A run of a repository with a job; returns the addresses of its pages."""

    job = replace(make_job(), repository=repository)
    site.jobs.enqueue(job)
    log = JobLog(site.redis, job.id, 1 << 20)
    log.start()
    log.write(b"canary of the log\n")
    rows = [DatumRow("images:canary.jpg", job.datums[0][1], "run", "new", "new")]
    pipelines = [PipelineRun(name="edges", state="running", jobs=[job.id], datums=rows)]
    run = Run(
        id=run_id(repository, "main", COMMIT),
        repository=repository,
        branch="main",
        commit=COMMIT,
        pipelines=pipelines,
        title="canary of the title",
    )
    site.runs.save(run)
    pages = (f"/repos/{repository}", f"/runs/{run.id}", f"/jobs/{job.id}")
    return (*pages, *(f"{page}.json" for page in pages), f"/jobs/{job.id}/log")


def test_two_accounts_of_whom_one_must_see_nothing(site: Site, gitea: real.Gitea) -> None:
    """A private repository of a private organisation: pages, JSON, logs, lists, metrics and errors."""
    member, other = Person.make(gitea, "member"), Person.make(gitea, "other")
    org = f"org-{secrets.token_hex(4)}"
    gitea.api("POST", "/orgs", {"username": org, "visibility": "private"})
    gitea.api("POST", f"/orgs/{org}/repos", {"name": "secret", "private": True})
    team = {"name": "readers", "units_map": {"repo.code": "read"}, "permission": "read"}
    made = gitea.api("POST", f"/orgs/{org}/teams", {**team, "includes_all_repositories": True})
    gitea.api("PUT", f"/teams/{made['id']}/members/{member.name}")
    addresses = _run(site, f"{org}/secret")
    absent = _run(site, f"{org}/gone")  # a run of a repository that the forge does not have
    mine, theirs = make_stranger(site), make_stranger(site)

    assert addresses[1] == member.sign_in(mine, addresses[1])
    other.sign_in(theirs)
    for path in addresses:
        assert 200 == mine.get(path).status_code, path
        answer = theirs.get(path)
        assert (404, False) == (answer.status_code, "canary" in answer.text), path
    for path in absent:
        assert 404 == mine.get(path).status_code, path
    for path, has_it in (("/", True), ("/index.json", True), ("/workers.json", True)):
        assert has_it == (f"{org}/secret" in mine.get(path).text)
        assert org not in theirs.get(path).text
        assert "canary" not in theirs.get(path).text
    assert 404 == theirs.get("/metrics").status_code

    for path in addresses:
        token = real.make_token(gitea, other.name, "all")
        answer = make_stranger(site).get(path, headers={"Authorization": f"token {token}"})
        assert 404 == answer.status_code


def test_a_session_is_renewed_and_ends_with_the_grant(site: Site, gitea: real.Gitea) -> None:
    """When the forge's token expires, a new one is got; when the forge declines, one signs in again."""
    person, client = Person.make(gitea, "ada"), make_stranger(site)
    person.sign_in(client)
    with client.session_transaction() as session:
        name = session["id"]
    first = dict(site.sessions.get(name) or {})
    assert first["credential"].startswith("Bearer ")
    site.sessions.change(name, {**first, "expires": 1.0})
    assert 200 == client.get("/").status_code
    renewed = dict(site.sessions.get(name) or {})
    assert renewed["expires"] > 1.0
    assert person.name in client.get("/").text
    site.sessions.change(name, {**renewed, "expires": 1.0, "refresh": "wrong"})
    assert 401 == client.get("/").status_code
    assert site.sessions.get(name) is None


def test_a_code_is_of_one_browser_and_for_once(site: Site, gitea: real.Gitea) -> None:
    """Another browser (login CSRF), another state, and the same code again are refused."""
    person, client, victim = Person.make(gitea, "eve"), make_stranger(site), make_stranger(site)
    begun = client.get("/sign-in/forge")
    back = person.consent(begun.location).removeprefix(ROOT)
    assert 403 == victim.get(back).status_code
    victim.get("/sign-in/forge")
    assert 403 == victim.get(back).status_code
    assert 401 == victim.get("/").status_code
    assert 303 == client.get(back).status_code
    assert 403 == client.get(back).status_code
    assert "code_challenge_method=S256" in begun.location


def test_check_says_whether_the_application_works(
    site: Site, gitea: real.Gitea, broker: RedisServer, tmp_path: Path
) -> None:
    """Or which setting is wrong."""
    assert ["ok"] == [each.state for each in check_sign_in(site)]
    right = site.settings.pages
    (tmp_path / "wrong").write_text("not the secret")
    for wrong, word in (
        ({"pages__oauth_client_id": "00000000-0000-0000-0000-000000000000"}, "oauth_client_id"),
        ({"pages__oauth_secret_file": str(tmp_path / "wrong")}, "oauth_secret_file"),
        ({"web__url": "http://other.example"}, "http://other.example/sign-in/callback"),
        ({"forge__url": "http://127.0.0.1:9"}, "does not answer"),
    ):
        given = {
            "forge__url": gitea.url,
            "web__url": ROOT,
            "pages__oauth_client_id": right.oauth_client_id,
            "pages__oauth_secret_file": str(right.oauth_secret_file),
            **wrong,
        }
        found = list(check_sign_in(make_site(broker, tmp_path, **given)))
        assert ["error"] == [each.state for each in found]
        assert word in found[0].text
