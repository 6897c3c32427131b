"""Webhooks of the embedded forge: Gitea's events in Gitea's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests

from tea_runner.core.deliveries.delivery_events import Ignored, PushEvent
from tea_runner.core.deliveries.delivery_signature import is_signed
from tea_runner.core.deliveries.gitea_delivery import parse_gitea_delivery
from tea_runner.forge.embedded import EmbeddedForge
from tests.clone import Clone
from tests.faulty_forge import FaultyForge, RandomFaults
from tests.receiver import Recorder

RECORDED = Path(__file__).parents[2] / "core" / "deliveries"


def ask(forge: EmbeddedForge, method: str, path: str, body: object = None) -> Any:
    """Call the API as the owner."""
    answer = requests.request(
        method, f"{forge.url}/api/v1{path}", json=body, auth=("ada", "correct horse"), timeout=10
    )
    answer.raise_for_status()
    return answer.json() if answer.content else None


def hooked(tmp_path: Path, forge: EmbeddedForge, url: str, **changes: Any) -> tuple[Clone, int]:
    """A repository with one hook."""
    forge.create_repository("ada", "edges")
    said = {
        "type": "gitea",
        "active": True,
        "events": ["push", "create", "delete"],
        "config": {"url": url, "content_type": "json", "secret": "s"},
    }
    made = ask(forge, "POST", "/repos/ada/edges/hooks", {**said, **changes})
    mine = Clone(tmp_path / "ada", forge.push_url("ada/edges", "ada", "correct%20horse"))
    return mine, made["id"]


def told(recorder: Recorder, count: int) -> list[tuple[str, str]]:
    """Event and ref of each delivery, sorted: they come in no order."""
    return sorted((kept.event, kept.said["ref"]) for kept in recorder.wait(count))


def test_every_act_makes_the_deliveries_that_gitea_makes(
    tmp_path: Path, forge: EmbeddedForge
) -> None:
    """New branch, push, tag, deletions; nothing for refs that are neither branch nor tag."""
    with Recorder() as recorder:
        mine, _ = hooked(tmp_path, forge, recorder.url)
        mine.commit("a")
        mine.push("main", "main:refs/heads/git-annex", "main:refs/tea/x", "main:refs/notes/n")
        assert told(recorder, 4) == [
            ("create", "git-annex"),
            ("create", "main"),
            ("push", "refs/heads/git-annex"),
            ("push", "refs/heads/main"),
        ]
        recorder.kept.clear()
        mine.commit("b")
        mine.push("main", "main:refs/tags/v1")
        assert told(recorder, 3) == [
            ("create", "v1"),
            ("push", "refs/heads/main"),
            ("push", "refs/tags/v1"),
        ]
        recorder.kept.clear()
        mine.push(":refs/heads/git-annex", ":refs/tags/v1", ":refs/tea/x")
        assert told(recorder, 3) == [
            ("delete", "git-annex"),
            ("delete", "v1"),
            ("push", "refs/tags/v1"),
        ]


def test_a_delivery_has_the_headers_and_fields_of_a_real_one(
    tmp_path: Path, forge: EmbeddedForge
) -> None:
    """Every header that Gitea sends, and the fields that anybody could read."""
    recorded = json.loads((RECORDED / "gitea-1.26-push.json").read_text(encoding="utf-8"))
    with Recorder() as recorder:
        mine, _ = hooked(tmp_path, forge, recorder.url, events=["push"])
        for number in range(7):
            mine.commit(f"f{number}")
        mine.push()
        (kept,) = recorder.wait(1)
    assert {name.lower() for name, _ in recorded["headers"]} <= {*kept.headers, "accept-encoding"}
    real = json.loads(recorded["body"])
    assert list(real) == list(kept.said)
    assert set(real["commits"][0]) == set(kept.said["commits"][0])
    assert len(kept.said["commits"]) == 5
    assert kept.said["total_commits"] == 7
    assert kept.said["commits"][0]["added"] == ["f6"]
    assert is_signed(kept.body, kept.headers["x-gitea-signature"], ["s"])
    event = parse_gitea_delivery("push", kept.body)
    assert isinstance(event, PushEvent)
    assert (event.repository, event.ref) == ("ada/edges", "refs/heads/main")


def test_an_inactive_hook_gets_no_deliveries(tmp_path: Path, forge: FaultyForge) -> None:
    """A webhook is inactive by default, as in Gitea."""
    with Recorder() as recorder:
        mine, _ = hooked(tmp_path, forge, recorder.url, active=None)
        mine.commit("a")
        mine.push()
        assert forge.wait_for_deliveries()
        assert recorder.kept == []


def test_a_slow_or_failing_receiver_costs_the_pusher_nothing(
    tmp_path: Path, forge: FaultyForge
) -> None:
    """Each delivery is sent once, whatever the receiver answers; the push succeeds."""
    with Recorder(status=500) as recorder:
        mine, _ = hooked(tmp_path, forge, recorder.url, events=["push"])
        mine.commit("a")
        mine.push()
        recorder.wait(1)
        assert forge.wait_for_deliveries()
        assert len(recorder.kept) == 1
    tip = mine.commit("b")
    mine.push()
    assert forge.wait_for_deliveries()
    assert forge.store.branches(forge.create_repository("ada", "edges")) == {"main": tip}


def test_the_test_of_a_hook_delivers_nothing_moved(tmp_path: Path, forge: EmbeddedForge) -> None:
    """Before and after are the same, so that receivers know it for a test."""
    with Recorder() as recorder:
        mine, number = hooked(tmp_path, forge, recorder.url)
        mine.commit("a")
        mine.push()
        recorder.wait(2)
        recorder.kept.clear()
        ask(forge, "POST", f"/repos/ada/edges/hooks/{number}/tests")
        (kept,) = recorder.wait(1)
    assert isinstance(parse_gitea_delivery("push", kept.body), Ignored)


def test_faults_lose_and_repeat_deliveries(tmp_path: Path, forge: FaultyForge) -> None:
    """The faults of the tests drop all deliveries, or send each of them twice."""
    with Recorder() as recorder:
        mine, _ = hooked(tmp_path, forge, recorder.url, events=["push"])
        mine.commit("a")
        forge.faults = RandomFaults(1, drop=1.0)
        mine.push()
        assert forge.wait_for_deliveries()
        assert recorder.kept == []
        forge.faults = RandomFaults(1, repeat=1.0, delay=0.2)
        mine.commit("b")
        mine.push()
        assert forge.wait_for_deliveries()
        assert len(recorder.kept) == 2
        assert recorder.kept[0].body == recorder.kept[1].body


def test_hostile_names_and_messages_are_delivered_as_they_are(
    tmp_path: Path, forge: EmbeddedForge
) -> None:
    """Control characters, quotes and other people's encodings do not stop a delivery."""
    with Recorder() as recorder:
        mine, _ = hooked(tmp_path, forge, recorder.url, events=["push"])
        mine.commit("ünd\tso\x01\n", message="one\x02two\n\n<script>")
        mine.push()
        (kept,) = recorder.wait(1)
    (commit,) = kept.said["commits"]
    assert commit["message"].startswith("one\x02two")
    assert commit["added"] == ["ünd\tso\x01\n"]
