"""Questions about a run, which the pages' process asks and a planner answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tea_runner.broker import redis_keys
from tea_runner.broker.rq_consumer import QueueConsumer
from tea_runner.core.planning.cancel_retry_recompute import RunAction, seal_action
from tea_runner.core.planning.planner_query import RunQuestion, seal_question, unseal_question
from tea_runner.web import query_planner
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.web.browser import make_client
from workers.job_worker import worker_name

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(hands: Hands) -> Ask:
    """Request an answer while a planner takes what is in its queue."""
    site = hands.site
    client = make_client(site)

    def call(kind: str, **query: str) -> tuple[int, Any]:
        run = site.runs.latest(1)[0].id
        found = []
        thread = threading.Thread(
            target=lambda: found.append(
                client.get(f"/api/v1/runs/{run}/{kind}", query_string=query)
            )
        )
        thread.start()
        while thread.is_alive():
            if site.queues.length("plan"):
                name = worker_name("planner")
                QueueConsumer(site.redis, "plan", hands.planner, name=name).run(burst=True)
            thread.join(0.05)
        return found[0].status_code, found[0].get_json()

    return call


def test_a_planner_says_what_a_clone_would_say(forged: Lab, hands: Hands, ask: Ask) -> None:
    """The plan before; afterwards what is current, why, and what a result was made from."""
    hands.plan()
    status, answer = ask("plan")
    (row,) = answer["document"]["pipelines"]
    assert (200, 1, ["new"]) == (
        status,
        row["counts"]["run"],
        [datum["reason"] for datum in row["datums"]],
    )
    hands.work()
    hands.plan()
    tip = forged.tip()

    status, answer = ask("status")
    assert (200, tip, True) == (
        status,
        answer["commit"],
        answer["document"]["pipelines"][0]["current"],
    )
    status, answer = ask("why", name="up/a.txt")
    assert (200, "result") == (status, answer["document"]["how"])
    assert ["in:a.txt"] == [each["datum"] for each in answer["document"]["datums"]]
    status, answer = ask("lineage", path="up/a.txt")
    assert 200 == status
    assert "raw/a.txt" in "\n".join(answer["lines"])
    status, answer = ask("lineage", path="raw/a.txt", downstream="true")
    assert "up/a.txt" in "\n".join(answer["lines"])
    for kind, query in (("why", {"name": "absent"}), ("lineage", {"path": "absent"})):
        status, answer = ask(kind, **query)
        assert (404, "absent" in answer["error"]) == (status, True)


def test_a_question_that_no_planner_answers_ends(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time, and is asked once however many ask it."""
    monkeypatch.setattr(query_planner, "_PATIENCE", 0.2)
    hands.plan()
    client, queues = make_client(hands.site), hands.site.queues
    before = queues.length("plan")
    path = f"/api/v1/runs/{hands.site.runs.latest(1)[0].id}/plan"
    assert [503, 503] == [client.get(path).status_code for _ in range(2)]
    assert before + 1 == queues.length("plan")


def test_an_action_is_carried_out_once(forged: Lab, hands: Hands) -> None:
    """Nor late, nor when somebody has changed its sealed text in Redis."""
    site = hands.site
    hands.plan()
    action = RunAction(
        kind="cancel",
        repository=forged.name,
        run=site.runs.latest(1)[0].id,
        by="ada",
        until=time.time() + 20,
        nonce="1",
    )
    name = redis_keys.question(action.id)
    site.questions.ask(action)
    sealed: Any = site.redis.get(name)
    assert action == site.questions.take(action.id)
    assert None is site.questions.take(action.id)
    assert not site.questions.withdraw(action.id)

    late = replace(action, until=time.time() - 1)
    site.questions.ask(late)
    assert None is site.questions.take(late.id)
    for text in (sealed.replace(b"cancel", b"retry"), b"{}", seal_action(action, b"other")):
        site.redis.set(name, text)
        assert None is site.questions.take(action.id), text


def test_only_this_server_asks(forged: Lab, hands: Hands) -> None:
    """Not who writes a question to Redis, nor about a repository that is not processed here."""
    known = RunQuestion(kind="plan", repository=forged.name, branch="main", commit="c" * 40)
    assert known == unseal_question(seal_question(known, b"secret"), b"secret")
    assert None is unseal_question(seal_question(known, b"other"), b"secret")
    other = RunQuestion(kind="plan", repository="lab/other", branch="main", commit="c" * 40)
    hands.site.questions.ask(other)
    hands.planner(f'{{"question": "{other.id}"}}')
    hands.planner('{"question": "absent"}')
    assert None is hands.site.questions.answer(other)
