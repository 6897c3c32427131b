"""Events of any program: from the request to a file in git, and to its result."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tea_runner.core.events.trigger_position import REFS
from tea_runner.host import fault_point
from tea_runner.web.app import WebDependencies, create_app
from tea_runner.wiring import Site
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import COPY, spec
from tests.web.browser import data, make_client
from workers.trigger_listener import TriggerListener

pytestmark = pytest.mark.long

#: Moments at which the process that commits events may end.
MOMENTS = (
    "event-refresh",
    "event-refresh.end",
    "event-store",
    "event-store.end",
    "event-publish",
    "settle",
    "settle.end",
    "event-published",
    "event-remove",
)
SECRET = "canary-secret-of-a-trigger"


@pytest.fixture
def eventful(forged: Lab) -> Lab:
    """A lab whose settings have triggers."""
    (forged.root / "secret").write_text(f"{SECRET}\n")
    forged.tables = f"""
[[triggers]]
name = "orders"
kind = "webhook"
repository = "{forged.name}"
folder = "raw"
path = "{{/shop}}-{{id}}.json"
id = "/id"
secret_file = "{forged.root}/secret"

[[triggers]]
name = "again"
kind = "webhook"
repository = "{forged.name}"
addresses = ["127.0.0.0/8"]
"""
    return forged


@pytest.fixture
def listener(eventful: Lab, hands: Hands) -> Iterator[TriggerListener]:
    """Commits the events of the lab's triggers."""
    made = TriggerListener(hands.site)
    yield made
    made.close()


def receiver(site: Site) -> FlaskClient:
    """Requests to the receiver of a site."""
    parts = WebDependencies(
        settings=site.settings, webhooks=site.webhooks, requests=site.plan_requests, triggers=site
    )
    return create_app(parts).test_client()


def send(client: FlaskClient, body: bytes, name: str = "orders", secret: str = SECRET) -> int:
    """Send a signed event; returns the status."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={digest}", "Content-Length": str(len(body))}
    return client.post(f"/hooks/in/{name}", data=body, headers=headers).status_code


def order(number: int, shop: str = "north") -> bytes:
    """A body."""
    return json.dumps({"id": number, "shop": shop, "sum": 7}).encode()


def test_an_event_becomes_a_file_and_its_result(
    eventful: Lab, hands: Hands, listener: TriggerListener
) -> None:
    """A signed event is committed once, by the bot, and the pipeline computes it; a repeated one is not."""
    site = hands.site
    client = receiver(site)
    before = eventful.tip()

    assert 401 == send(client, order(1), secret="another")
    assert 202 == send(client, order(1))
    assert 202 == send(client, order(1))
    assert 404 == send(client, order(1), name="nothing")
    assert before == eventful.tip()
    assert 2 == listener.look()
    assert 0 == listener.look()

    eventful.git("fetch", "-q", "origin")
    commit = eventful.tip()
    assert f"{before}\n" == eventful.git("rev-parse", f"{commit}^")
    assert "/annex/objects/" in eventful.git("show", f"{commit}:raw/north-1.json")
    who, message = eventful.git("log", "-1", "--format=%an%n%B", commit).split("\n", 1)
    assert "tea-runner" == who
    assert message.startswith("Add 1 file from trigger orders\n\nTea-Trigger: orders\nTea-Event: ")
    assert "Tea-Input" not in message

    hands.plan()
    hands.work()
    hands.plan()
    eventful.pull()
    eventful.do("git", "annex", "get", "--quiet", "up/north-1.json")
    assert order(1) == (eventful.dataset / "up" / "north-1.json").read_bytes()
    pages = make_client(site)
    assert "1 committed, 1 repeated" in pages.get("/events").text
    repeated, committed = data(pages, "/events.json")["events"]
    assert ("repeated", "") == (repeated["outcome"], repeated["commit"])
    assert ["raw/north-1.json"] == committed["files"]
    assert commit == committed["commit"]
    assert "done" == data(pages, f"/runs/{committed['run']}.json")["state"]

    assert 202 == send(client, order(1))
    tip = eventful.tip()
    listener.look()
    assert tip == eventful.tip()
    told = [(row.event, row.outcome) for row in site.events.latest()]
    assert [("1", "repeated"), ("1", "repeated"), ("1", "committed")] == told
    assert commit == site.events.latest()[-1].commit


def test_an_event_can_ask_for_a_plan_alone(
    eventful: Lab, hands: Hands, listener: TriggerListener
) -> None:
    """A trigger without a folder plans the branch and commits nothing."""
    site = hands.site
    hands.plan()
    assert 202 == send(receiver(site), b"now", name="again")
    requested = "event of trigger again"
    assert requested == site.plan_requests.begin(eventful.name, "main")
    tip = eventful.tip()
    listener.look()
    assert requested == site.plan_requests.begin(eventful.name, "main")
    assert tip == eventful.tip()
    assert [("again", "planned")] == [(e.trigger, e.outcome) for e in site.events.latest()]


def test_events_that_cannot_become_data_are_refused(
    eventful: Lab, hands: Hands, listener: TriggerListener
) -> None:
    """Names that steer, missing values and pointers of git-annex make no commit; each is listed."""
    site = hands.site
    client = receiver(site)
    before = eventful.tip()
    assert 422 == send(client, b"{}")
    assert 422 == send(client, b"no json")
    assert 422 == send(client, order(1, "a" * 300))
    pointer = {"id": 5, "shop": "x"}
    assert 202 == send(client, json.dumps(pointer).encode())
    assert [] == list(Path(site.state_folder / "events").glob("*/.new-*"))
    listener.look()
    assert before != eventful.tip()
    outcomes = [row.outcome for row in site.events.latest()]
    assert ["committed", "refused", "refused", "refused"] == outcomes


def test_a_lost_position_is_read_from_the_branch(
    eventful: Lab, hands: Hands, listener: TriggerListener
) -> None:
    """Somebody deletes the ref of a position: the messages of the branch tell what came before."""
    site = hands.site
    client = receiver(site)
    assert 202 == send(client, order(1))
    listener.look()
    eventful.git("push", "-q", "origin", f":{REFS}orders")
    eventful.pull()
    (eventful.dataset / "raw" / "north-1.json").unlink()
    eventful.save("remove")
    eventful.push()
    assert 202 == send(client, order(1))
    listener.look()
    assert "repeated" == site.events.latest(1)[0].outcome


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_process_that_ends_at_any_moment_neither_loses_nor_doubles(
    moment: str,
    eventful: Lab,
    hands: Hands,
    listener: TriggerListener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next one commits what was not committed, and nothing else."""
    client = receiver(hands.site)
    for number in range(3):
        assert 202 == send(client, order(number))

    def kill(reached: str) -> None:
        if reached == moment:
            raise Killed

    monkeypatch.setattr(fault_point, "handler", kill)
    with pytest.raises(Killed):
        listener.look()
    monkeypatch.undo()
    with contextlib.closing(TriggerListener(hands.site)) as other:
        other.look()
    eventful.pull()
    found = eventful.git("log", "--format=%s", "--grep=^Tea-Trigger: orders")
    assert ["Add 3 files from trigger orders"] == found.splitlines()
    names = sorted(path.name for path in (eventful.dataset / "raw").glob("north-*"))
    assert ["north-0.json", "north-1.json", "north-2.json"] == names
    assert [] == hands.site.event_spool.waiting("orders")


def test_events_wait_while_others_push(
    eventful: Lab,
    hands: Hands,
    listener: TriggerListener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A branch that moved meanwhile is read again; neither commit replaces the other."""
    assert 202 == send(receiver(hands.site), order(1))
    pushed: list[str] = []

    def push(reached: str) -> None:
        if reached == "event-publish" and not pushed:
            eventful.write({"README.md": "other\n"})
            eventful.save("other")
            pushed.append(eventful.push())

    monkeypatch.setattr(fault_point, "handler", push)
    listener.look()
    eventful.git("fetch", "-q", "origin")
    assert pushed == [eventful.git("rev-parse", f"{eventful.tip()}^").strip()]


def test_folders_of_pipelines_and_code_take_no_events(
    eventful: Lab, hands: Hands, listener: TriggerListener
) -> None:
    """A folder that became a pipeline's refuses events, each with its reason."""
    eventful.write({"raw/spec.yml": spec("other", COPY)})
    eventful.save("a pipeline")
    tip = eventful.push()
    assert 202 == send(receiver(hands.site), order(1))
    listener.look()
    (event,) = hands.site.events.latest()
    assert ("refused", "raw is the folder of a pipeline") == (event.outcome, event.why)
    assert tip == eventful.tip()
