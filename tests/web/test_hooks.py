"""The hook address: every listed input gets its answer, and nothing else changes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.core.errors import QueueError
from tea_runner.forge.registered_webhook_store import WebhookStore
from tea_runner.settings import load_settings
from tea_runner.web.app import WebDependencies, create_app
from tests.web import receiver
from tests.web.deliveries import HOOK, NUMBER, OTHER, ROWS, SECRET, Row, push, sign


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with one hook for ``lab/edges``."""
    WebhookStore(tmp_path / "hooks").keep(hook())
    return tmp_path


def hook(**changes: Any) -> Webhook:
    """The hook that the deliveries are signed for."""
    kept = Webhook(
        id=HOOK,
        forge="gitea",
        repository="lab/edges",
        repository_id=NUMBER,
        secrets=(SECRET,),
    )
    return replace(kept, **changes)


@pytest.fixture
def client(state: Path) -> FlaskClient:
    """Requests without a server."""
    return receiver.make(state).test_client()


PATH = f"/hooks/gitea/{hook().id}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.row}-{row.name}")
def test_every_listed_delivery_gets_its_answer(row: Row, client: FlaskClient, state: Path) -> None:
    """The answer is as stated, short, without our secrets; only a real push asks for a plan."""
    files = sorted(state.rglob("*"))
    length = {"CONTENT_LENGTH": str(len(row.body))}
    answer = client.post(PATH, data=row.body, headers=row.sent(), environ_overrides=length)
    assert row.status == answer.status_code
    said = answer.get_json()
    assert row.says in json.dumps(said)
    assert len(answer.data) < 300
    assert b"canary" not in answer.data
    ref = "git-annex" if row.name == "git-annex" else "main"
    expected = [["lab/edges", f"refs/heads/{ref}"]] if row.planned else []
    assert expected == [asked[:2] for asked in receiver.Lines(state / "asked").asked()]
    if row.name == "nothing moved":
        files = sorted([*files, state / "hooks" / f"{hook().id}.tested"])
    if not row.planned:
        assert files == sorted(state.rglob("*"))


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"])
def test_only_post_is_taken(client: FlaskClient, method: str) -> None:
    """Row 1: other methods are 405 and say which one is taken."""
    answer = client.open(PATH, method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "path",
    [
        "/hook",
        "/hooks",
        "/hooks/gitea",
        PATH + "/",
        "/" + PATH,
        PATH + "/../admin",
        PATH[:-1],
        "/hooks/github/" + hook().id,
        "/hooks/gitea/..%2f..%2fetc%2fpasswd",
        "/hooks/gitea/%00",
    ],
)
def test_other_paths_are_not_there(client: FlaskClient, path: str) -> None:
    """Row 2: an address is exact or 404; there are no redirects, which turn POST into GET."""
    row = ROWS[0]
    # Without the header the client takes a name after two slashes for the host.
    sent = {"Host": "localhost", **row.sent()}
    assert client.post(path, data=row.body, headers=sent).status_code == 404


def test_several_secrets_hold_while_one_is_replaced(client: FlaskClient, state: Path) -> None:
    """A rotated hook takes the new secret and the old one, until the old one is taken away."""
    store = WebhookStore(state / "hooks")
    rotated = store.rotate(hook().id)
    for secret in rotated.secrets:
        row = Row(row="0", name="", status=202, secret=secret)
        assert client.post(PATH, data=row.body, headers=row.sent()).status_code == 202
    store.keep(replace(rotated, secrets=rotated.secrets[:1]))
    old = Row(row="0", name="", status=401)
    assert client.post(PATH, data=old.body, headers=old.sent()).status_code == 401


def test_a_hook_speaks_only_for_its_own_repositories(client: FlaskClient, state: Path) -> None:
    """The secret of one hook does not open another's address, nor the reverse."""
    WebhookStore(state / "hooks").keep(
        hook(id="b" * 24, repository="other/*", repository_id=None, secrets=(OTHER,))
    )
    row = Row(row="0", name="", status=404, secret=OTHER)
    path = f"/hooks/gitea/{'b' * 24}"
    assert client.post(path, data=row.body, headers=row.sent()).status_code == 404
    assert client.post(PATH, data=row.body, headers=row.sent()).status_code == 401


def test_a_hook_for_an_owner_takes_all_its_repositories(client: FlaskClient, state: Path) -> None:
    """``lab/*`` is one secret for an organisation."""
    WebhookStore(state / "hooks").keep(hook(repository="lab/*", repository_id=None))
    body = push(repository={"id": 99, "full_name": "lab/new"})
    row = Row(row="0", name="", status=202, body=body)
    assert client.post(PATH, data=row.body, headers=row.sent()).status_code == 202
    assert receiver.Lines(state / "asked").asked()[0][0] == "lab/new"


class Down:
    """A queue that cannot be reached."""

    def request_plan(self, repository: str, ref: str, *, why: str) -> None:
        """Refuse."""
        raise QueueError


def test_a_queue_that_is_down_is_told_to_the_forge(state: Path) -> None:
    """503 shows in the hook's history; the reconciler finds the push later."""
    settings = load_settings(file=None, env={"HOME": str(state)}, flags={})
    parts = WebDependencies(
        settings=settings, webhooks=WebhookStore(state / "hooks"), requests=Down()
    )
    row = ROWS[0]
    answer = create_app(parts).test_client().post(PATH, data=row.body, headers=row.sent())
    assert answer.status_code == 503
    assert "will be found later" in answer.get_json()["error"]


def test_a_body_larger_than_the_setting_is_not_read(client: FlaskClient) -> None:
    """413 by its length alone."""
    length = {"CONTENT_LENGTH": str(41 << 20)}
    answer = client.post(PATH, data=b"x", headers=ROWS[0].sent(), environ_overrides=length)
    assert answer.status_code == 413


def test_deliveries_are_counted_by_their_end(state: Path) -> None:
    """Accepted, ignored and refused ones, so that a rate of refusals can be seen."""
    counted: list[str] = []
    settings = load_settings(file=None, env={"HOME": str(state)}, flags={})
    parts = WebDependencies(
        settings=settings,
        webhooks=WebhookStore(state / "hooks"),
        requests=receiver.Lines(state / "asked"),
        count=counted.append,
    )
    client = create_app(parts).test_client()
    for name in ("a correct push", "tag", "signed with another secret"):
        row = next(row for row in ROWS if row.name == name)
        client.post(PATH, data=row.body, headers=row.sent())
    assert counted == ["accepted", "ignored", "refused"]


def test_readiness_says_what_is_wrong(client: FlaskClient, state: Path) -> None:
    """A process lives as soon as it answers, and is ready when its checks find nothing."""
    assert client.get("/healthz").status_code == 200
    assert {"status": "not ready"} == client.get("/readyz").get_json()
    answer = client.get("/readyz", headers={"Authorization": "Bearer metrics-token"})
    assert (answer.status_code, answer.get_json()["checks"]) == (
        503,
        {"queue": "the queue is down"},
    )
    (state / "up").touch()
    assert client.get("/readyz").status_code == 200


def test_the_signature_of_the_tests_is_that_of_a_real_gitea() -> None:
    """What the rows are signed with is the recorded algorithm."""
    recorded = Path(__file__).parents[1] / "core" / "deliveries" / "gitea-1.26-push.json"
    said = json.loads(recorded.read_text(encoding="utf-8"))
    assert sign(said["body"].encode(), "s") == dict(said["headers"])["X-Gitea-Signature"]
