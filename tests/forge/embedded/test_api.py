"""The API of the embedded forge where it is not what the client's contract shows."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tea_runner.core.errors import OutsideError, UserError
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.embedded.accounts import Accounts
from tests.clone import Clone

ADA = ("ada", "correct horse")
EVE = ("eve", "battery staple")


def ask(
    forge: EmbeddedForge,
    method: str,
    path: str,
    body: object = None,
    auth: tuple[str, str] | None = ADA,
) -> requests.Response:
    """One call."""
    return requests.request(method, forge.url + path, json=body, auth=auth, timeout=60)


def test_all_but_health_and_version_ask_who_you_are(forge: EmbeddedForge) -> None:
    """Without a name there are no lists, pages or repositories."""
    forge.create_repository("ada", "edges")
    for path in ("/healthz", "/api/healthz", "/api/v1/version"):
        assert ask(forge, "GET", path, auth=None).status_code == 200
    for path in (
        "/",
        "/ada/edges",
        "/api/v1/user",
        "/api/v1/repos/search",
        "/api/v1/repos/ada/edges",
        "/ada/edges.git/info/refs?service=git-upload-pack",
    ):
        assert ask(forge, "GET", path, auth=None).status_code == 401


def test_others_may_not_see_or_change_hooks(forge: EmbeddedForge) -> None:
    """Webhooks belong to owners and administrators."""
    forge.create_repository("ada", "edges")
    hook = {"type": "gitea", "config": {"url": "http://x", "content_type": "json"}}
    path = "/api/v1/repos/ada/edges/hooks"
    assert ask(forge, "POST", path, hook, EVE).status_code == 403
    assert ask(forge, "GET", path, auth=EVE).status_code == 403
    made = ask(forge, "POST", path, hook)
    assert (made.status_code, made.json()["active"]) == (201, False)


def test_secrets_are_never_given_back(forge: EmbeddedForge) -> None:
    """Neither by the answer to making a hook, nor by lists."""
    forge.create_repository("ada", "edges")
    config = {"url": "http://x", "content_type": "json", "secret": "canary"}
    made = ask(forge, "POST", "/api/v1/repos/ada/edges/hooks", {"type": "gitea", "config": config})
    listed = ask(forge, "GET", "/api/v1/repos/ada/edges/hooks")
    assert "canary" not in made.text + listed.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/repos/ada/edges/hooks", [], 422),
        ("POST", "/repos/ada/edges/hooks", {"type": "x"}, 422),
        ("GET", "/repos/ada/none", None, 404),
        ("GET", "/repos/ada/edges/commits/none/status", None, 404),
        ("POST", "/repos/ada/edges/statuses/--all", {"state": "success"}, 500),
        ("PUT", "/repos/ada/edges", None, 405),
        ("GET", "/nothing", None, 404),
        ("DELETE", "/repos/ada/edges/hooks/9", None, 404),
    ],
)
def test_calls_that_make_no_sense_get_giteas_status(
    forge: EmbeddedForge, method: str, path: str, body: object, status: int
) -> None:
    """Refused in words, and nothing is made."""
    forge.create_repository("ada", "edges")
    answer = ask(forge, method, f"/api/v1{path}", body)
    assert status == answer.status_code
    assert "message" in answer.json()
    assert len(list(forge.store.all())) == 1


def test_statuses_set_at_once_are_all_kept(tmp_path: Path, forge: EmbeddedForge) -> None:
    """Each call adds a row; the worst of the latest decides."""
    mine = Clone(tmp_path / "c", forge.push_url("ada/edges", "ada", "correct%20horse"))
    tip = mine.commit("a")
    mine.push()
    path = f"/api/v1/repos/ada/edges/statuses/{tip}"
    said = [{"state": "success", "context": f"c{n}", "description": "<b>"} for n in range(16)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda row: ask(forge, "POST", path, row), said))
    assert [201] * 16 == [answer.status_code for answer in answers]
    ask(forge, "POST", path, {"state": "failure", "context": "c3"})
    combined = ask(forge, "GET", "/api/v1/repos/ada/edges/commits/main/status").json()
    assert (combined["state"], combined["total_count"]) == ("failure", 16)


def test_what_breaks_inside_is_an_answer_and_a_line_of_the_log(
    tmp_path: Path, forge: EmbeddedForge, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that just ends tells nobody anything; the next request is none the worse."""
    mine = Clone(tmp_path / "c", forge.push_url("ada/edges", "ada", "correct%20horse"))
    tip = mine.commit("a")
    mine.push()
    path = f"/api/v1/repos/ada/edges/statuses/{tip}"
    assert 201 == ask(forge, "POST", path, {"state": "success"}).status_code
    (kept,) = forge.root.glob(f"**/status-{tip}.json")
    kept.write_text("not JSON")

    answer = ask(forge, "POST", path, {"state": "success"})

    assert (500, "internal error; see the forge's log") == (
        answer.status_code,
        answer.json()["message"],
    )
    assert [f"POST {path}"] == [
        record.getMessage() for record in caplog.records if record.levelname == "ERROR"
    ]
    assert 200 == ask(forge, "GET", "/api/v1/repos/ada/edges").status_code


def test_passwords_and_tokens_are_not_in_the_file(tmp_path: Path) -> None:
    """Only hashes are, and only the owner reads the file."""
    accounts = Accounts(tmp_path / "accounts.json")
    accounts.add("ada", "canary horse")
    token = accounts.add_token("ada")
    text = (tmp_path / "accounts.json").read_text()
    assert "canary" not in text
    assert token not in text
    assert stat.S_IMODE((tmp_path / "accounts.json").stat().st_mode) == 0o600


def test_a_changed_password_holds_at_once(forge: EmbeddedForge) -> None:
    """Also when another process changes it; the old one does not hold any more."""
    assert ask(forge, "GET", "/api/v1/user").status_code == 200
    Accounts(forge.root / "accounts.json").add("ada", "new horse")
    assert ask(forge, "GET", "/api/v1/user").status_code == 401
    assert ask(forge, "GET", "/api/v1/user", auth=("ada", "new horse")).status_code == 200


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "api", "a b"])
def test_names_that_cannot_be_in_an_address_are_refused(tmp_path: Path, name: str) -> None:
    """With what a name may hold."""
    with pytest.raises(UserError, match="cannot be a user"):
        Accounts(tmp_path / "accounts.json").add(name, "x")


def test_a_port_that_is_taken_is_said(forge: EmbeddedForge, tmp_path: Path) -> None:
    """In a sentence with the next step."""
    with pytest.raises(OutsideError, match="choose another port"):
        EmbeddedForge(tmp_path / "other", "127.0.0.1", forge.port)


@pytest.mark.parametrize("host", ["::1", "::"])
def test_it_listens_on_addresses_of_version_6(tmp_path: Path, host: str) -> None:
    """All addresses are those of version 4, too."""
    with EmbeddedForge(tmp_path / "other", host) as forge:
        assert forge.url == f"http://[{host}]:{forge.port}"
        for name in ("[::1]", "127.0.0.1") if host == "::" else ("[::1]",):
            url = f"http://{name}:{forge.port}/api/v1/version"
            assert 200 == requests.get(url, timeout=5).status_code
