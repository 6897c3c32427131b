"""The receiver of events, and the page of what they led to."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tea_runner.broker import redis_keys
from tea_runner.broker.recent_trigger_events import ListedEvent
from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.errors import OutsideError
from tea_runner.core.events.event import Event
from tea_runner.triggers import event_spool
from tea_runner.triggers.event_spool import EventFiles
from tea_runner.web.app import WebDependencies, create_app
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, make_site
from tests.twins.accounts import MemoryAccounts
from tests.web.browser import data, make_client, make_stranger, see

SECRET = "canary-secret-of-a-trigger"
#: Would become a pipeline file.
SPEC = b'{"id": "spec", "part": 1}'
BODY = b'{"id": "7", "part": {"a": [1]}}'


@pytest.fixture
def eventful(broker: RedisServer, tmp_path: Path) -> Site:
    """A site with two triggers."""
    (tmp_path / "secret").write_text(f"old\n{SECRET}\n")
    (tmp_path / "token").write_text("canary-token\n")
    common = {"kind": "webhook", "repository": REPOSITORY}
    kept = {**common, "name": "kept", "folder": "in", "path": "{id}.json", "id": "/id"}
    triggers = [
        {**kept, "keep": "/part", "secret_file": str(tmp_path / "secret"), "max_body": 1000},
        {**common, "name": "plan", "token_file": str(tmp_path / "token")},
    ]
    site = make_site(broker, tmp_path, triggers=triggers)
    site.redis.flushall()
    return site


def client_of(site: Site) -> FlaskClient:
    """Requests to the receiver."""
    parts = WebDependencies(
        settings=site.settings, webhooks=site.webhooks, requests=site.plan_requests, triggers=site
    )
    return create_app(parts).test_client()


def signed(body: bytes) -> dict[str, str]:
    """Headers of a signed body."""
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": digest, "Content-Length": str(len(body))}


def test_an_event_waits_on_the_disk_before_its_sender_has_an_answer(eventful: Site) -> None:
    """Its id, path and the wanted part of its body; its secrets are in no log."""
    answer = client_of(eventful).post("/hooks/in/kept", data=BODY, headers=signed(BODY))
    assert 202 == answer.status_code
    (name,) = eventful.event_spool.waiting("kept")
    event = eventful.event_spool.read("kept", name)
    assert event is not None
    assert "7" == event.id
    assert [("in/7.json", b'{"a": [1]}\n')] == [(file.path, file.data) for file in event.files]


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/hooks/in/kept", BODY, {}, 401),
        ("/hooks/in/kept", BODY, {"X-Hub-Signature-256": "sha256=" + "0" * 64}, 401),
        ("/hooks/in/kept", BODY, {**signed(b"other"), "Content-Length": str(len(BODY))}, 401),
        ("/hooks/in/other", BODY, signed(BODY), 404),
        ("/hooks/in/kept/", BODY, signed(BODY), 404),
        ("/hooks/in/", BODY, signed(BODY), 404),
        ("/hooks/in/kept", b"x" * 1001, signed(b"x" * 1001), 413),
        ("/hooks/in/kept", b"[]", signed(b"[]"), 422),
        ("/hooks/in/kept", b"[" * 900, signed(b"[" * 900), 422),
        ("/hooks/in/kept", SPEC, signed(SPEC), 422),
        ("/hooks/in/kept", b'{"id": "\\ud800"}', signed(b'{"id": "\\ud800"}'), 422),
        ("/hooks/in/plan", b"", {"Authorization": "Bearer no", "Content-Length": "0"}, 401),
        (
            "/hooks/in/plan",
            b"",
            {"Authorization": "Bearer canary-token", "Content-Length": "0"},
            202,
        ),
    ],
)
def test_every_request_gets_its_answer(
    eventful: Site,
    caplog: pytest.LogCaptureFixture,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    """Short, as JSON, without secrets; nothing that is not proven is kept."""
    with caplog.at_level(logging.DEBUG):
        answer = client_of(eventful).post(path, data=body, headers=headers)
    assert status == answer.status_code
    assert len(answer.data) < 300
    assert "canary" not in answer.text + caplog.text
    assert answer.mimetype == "application/json"
    if status in (401, 404, 413):
        assert not list(eventful.state_folder.glob("events/*/*"))
    asked = eventful.plan_requests.begin(REPOSITORY, "main")
    assert ("event of trigger plan" if status == 202 else "") == asked


@pytest.mark.parametrize("method", ["GET", "PUT", "OPTIONS", "DELETE"])
def test_only_post_sends_events(eventful: Site, method: str) -> None:
    """Everything else is refused without a look at the trigger."""
    answer = client_of(eventful).open("/hooks/in/kept", method=method)
    assert 405 == answer.status_code


def test_a_full_spool_takes_no_more(eventful: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender is told to come again; what waits stays."""
    monkeypatch.setattr(event_spool, "MOST_WAITING", 2)
    client = client_of(eventful)
    answers = [client.post("/hooks/in/kept", data=BODY, headers=signed(BODY)) for _ in range(3)]
    assert [202, 202, 503] == [each.status_code for each in answers]
    assert "30" == answers[-1].headers["Retry-After"]
    assert 2 == len(eventful.event_spool.waiting("kept"))


def test_the_spool_reads_in_order_and_keeps_what_is_whole(tmp_path: Path) -> None:
    """Files of killed writers are no events, and only one process reads."""
    spool = EventFiles(tmp_path / "events")
    for number in range(3):
        spool.put("t", Event(id=str(number), received=number))
    (tmp_path / "events/t/.new-killed00").write_bytes(b"half")
    names = spool.waiting("t")
    read = [spool.read("t", name) for name in names]
    assert ["0", "1", "2"] == [event.id for event in read if event is not None]
    (tmp_path / "events/t" / names[0]).write_bytes(b"half")
    assert spool.read("t", names[0]) is None
    spool.sweep("t", older=-1)
    assert not (tmp_path / "events/t/.new-killed00").exists()
    with spool.sole_reader(), pytest.raises(OutsideError), spool.sole_reader():
        pass


def _listed(**changes: object) -> ListedEvent:
    fixed: dict[str, object] = {
        "trigger": "kept",
        "kind": "webhook",
        "repository": REPOSITORY,
        "branch": "main",
        "event": "7<script>",
        "received": 1.0,
        "outcome": "committed",
        "commit": "1" * 40,
        "files": ("in/7.json",),
    }
    return ListedEvent(**{**fixed, **changes})  # type: ignore[arg-type]


def test_the_page_shows_events_to_who_may_read_the_repository(eventful: Site) -> None:
    """Counts by trigger, the latest first; a stranger to the repository sees none."""
    eventful.events.add([_listed(), _listed(event="8", outcome="refused", why="no", commit="")])
    eventful.redis.lpush(redis_keys.events(), b"{", b"[]", json.dumps({"trigger": 3}).encode())
    page = see(make_client(eventful), "/events")
    assert "1 committed, 1 refused" in page.text
    rows = data(make_client(eventful), "/events.json")["events"]
    assert [("8", "refused", "no"), ("7<script>", "committed", "")] == [
        (row["event"], row["outcome"], row["why"]) for row in rows
    ]
    assert [] == data(make_client(eventful), "/events.json?trigger=plan")["events"]
    accounts = MemoryAccounts()
    accounts.add("eve", "eve-token")
    vars(eventful)["accounts"] = accounts
    eve = make_stranger(eventful)
    assert 401 == eve.get("/events.json").status_code
    eve.environ_base["HTTP_AUTHORIZATION"] = "token eve-token"
    seen = data(eve, "/events.json")
    assert ([], []) == (seen["events"], seen["triggers"])


def test_ticks_do_not_displace_events(eventful: Site) -> None:
    """Each kind has a bound of its own, however often a schedule comes."""
    eventful.events.add([_listed(event="old"), _listed(event="new", received=5000.0)])
    for number in range(2):
        ticks = [
            _listed(kind="schedule", event=f"{number} {each}", received=2.0 + each)
            for each in range(1500)
        ]
        eventful.events.add(ticks)
    found = eventful.events.latest(5000)
    assert (2000, 2) == (
        sum(each.kind == "schedule" for each in found),
        sum(each.kind == "webhook" for each in found),
    )
    assert ("new", "old") == (found[0].event, found[-1].event)


def test_ticks_are_listed_with_the_runs_that_they_led_to(eventful: Site) -> None:
    """For who may read the repository; counted for each pipeline."""
    name = f"{REPOSITORY} daily"
    tick = _listed(trigger=name, kind="schedule", event="2026-12-01T00:00:00Z", commit="")
    eventful.events.add([replace(tick, outcome="planned", run="0123456789ab", files=())] * 2)
    document = data(make_client(eventful), "/events.json")
    (source,) = [each for each in document["triggers"] if each["name"] == name]
    assert ("schedule", {"planned": 2}) == (source["kind"], source["counts"])
    assert "0123456789ab" == document["events"][0]["run"]
    assert "/runs/0123456789ab" in see(make_client(eventful), "/events").links()
    accounts = MemoryAccounts()
    accounts.add("bob", "bob-token")
    vars(eventful)["accounts"] = accounts
    bob = make_stranger(eventful)
    bob.environ_base["HTTP_AUTHORIZATION"] = "token bob-token"
    assert ([], []) == tuple(data(bob, "/events.json")[part] for part in ("triggers", "events"))
