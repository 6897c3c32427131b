"""From a delivery to a plan request: the judgement without any web."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.flow.receive_delivery import receive_delivery
from tests.twins.queue import MemoryBroker, MemoryPlanRequests
from tests.web.deliveries import SECRET, Row, push

HOOK = Webhook(id="a" * 24, forge="gitea", repository="lab/*", secrets=(SECRET,))


def test_a_push_asks_for_one_plan_and_says_why() -> None:
    """Repository and ref come from the delivery; the reason names the commit."""
    asked = MemoryPlanRequests()
    row = Row(row="0", name="", status=202)
    answer = receive_delivery(HOOK, row.sent(), row.body, asked)
    assert (answer.http_status, answer.outcome) == (202, "accepted")
    assert asked.requested == {("lab/edges", "main"): "push of 4bb71d674bc2"}


def test_a_push_of_the_annex_branch_alone_asks_for_those_that_wait_for_content() -> None:
    """The planner knows which these are; whatever ``branches`` selects."""
    asked = MemoryPlanRequests()
    row = Row(row="0", name="", status=202, body=push(ref="refs/heads/git-annex"))
    answer = receive_delivery(HOOK, row.sent(), row.body, asked, branches=["main"])
    assert (202, "accepted") == (answer.http_status, answer.outcome)
    assert {("lab/edges", "git-annex"): "push of 4bb71d674bc2"} == asked.requested


def test_a_deleted_branch_asks_too() -> None:
    """The planner finds that there is nothing left, and stops what runs."""
    asked = MemoryPlanRequests()
    row = Row(row="0", name="", status=202, body=push(after="0" * 40))
    receive_delivery(HOOK, row.sent(), row.body, asked)
    assert asked.requested == {("lab/edges", "main"): "branch deleted"}


@pytest.mark.parametrize(
    ("patterns", "status"),
    [((), 202), (("lab/*",), 202), (("lab/other", "*/edges"), 202), (("lab/other",), 404)],
)
def test_the_settings_narrow_what_hooks_may_announce(
    patterns: tuple[str, ...], status: int
) -> None:
    """A repository that no pattern names is not there; without patterns the hooks decide."""
    row = Row(row="0", name="", status=status)
    answer = receive_delivery(
        HOOK, row.sent(), row.body, MemoryPlanRequests(), repositories=patterns
    )
    assert status == answer.http_status


def test_a_refusal_does_not_say_which_secret_was_near() -> None:
    """A wrong signature is answered alike, whatever is wrong with it."""
    rows = [
        Row(row="0", name="", status=401, secret="x"),
        Row(row="0", name="", status=401, headers={"X-Gitea-Signature": "nonsense"}),
        Row(row="0", name="", status=401, drop=("X-Gitea-Signature",)),
    ]
    answers = {
        repr(receive_delivery(HOOK, row.sent(), row.body, MemoryPlanRequests())) for row in rows
    }
    assert len(answers) == 1


def test_an_unread_event_asks_for_nothing() -> None:
    """Even when its body would be a push."""
    asked = MemoryPlanRequests()
    row = Row(row="18", name="", status=202, headers={"X-Gitea-Event": "status"})
    answer = receive_delivery(HOOK, row.sent(), row.body, asked)
    assert answer.body["reason"] == "ignored: event 'status'"
    assert asked.requested == {}


@pytest.mark.parametrize(
    ("branches", "pull_requests", "ref", "status"),
    [
        (["*"], False, "refs/heads/a/b", "accepted"),
        (["main"], False, "refs/heads/a/b", "ignored"),
        (["*"], False, "refs/heads/pull/1", "ignored"),
        (["*"], True, "refs/heads/pull/1", "accepted"),
    ],
)
def test_the_settings_name_the_branches(
    branches: list[str], pull_requests: bool, ref: str, status: str
) -> None:
    """A pull request's branch needs a setting of its own."""
    asked = MemoryPlanRequests()
    row = Row(row="0", name="", status=202, body=push(ref=ref))
    answer = receive_delivery(
        HOOK, row.sent(), row.body, asked, branches=branches, pull_requests=pull_requests
    )

    assert answer.body["status"] == status
    assert bool(asked.requested) == (status == "accepted")


@pytest.mark.parametrize(
    ("body", "number", "status"), [(b"[]", None, 400), (push(), 8, 404), (push(), 7, 202)]
)
def test_a_body_must_be_a_push_of_the_hooks_own_repository(
    body: bytes, number: int | None, status: int
) -> None:
    """By number where the hook has one: another repository may take over a name."""
    asked = MemoryPlanRequests()
    row = Row(row="0", name="", status=status, body=body)
    hook = dataclasses.replace(HOOK, repository_id=number)
    answer = receive_delivery(hook, row.sent(), row.body, asked)

    assert answer.http_status == status
    assert bool(asked.requested) == (status == 202)


def test_a_queue_that_does_not_answer_makes_the_delivery_fail() -> None:
    """The forge shows it; the reconciler finds the push later."""
    row = Row(row="0", name="", status=503)
    asked = MemoryPlanRequests(MemoryBroker(reachable=False))
    answer = receive_delivery(HOOK, row.sent(), row.body, asked)

    assert answer.http_status == 503
    assert "the queue cannot be reached" in answer.body["error"]


@pytest.mark.parametrize("comments", [True, False])
def test_a_pull_request_asks_to_be_looked_at(comments: bool) -> None:
    """Where pull requests get a comment; branches of them need not be processed for that."""
    asked = MemoryPlanRequests()
    body = json.dumps(
        {"action": "opened", "number": 7, "repository": {"full_name": "lab/edges", "id": 1}}
    ).encode()
    row = Row(row="0", name="", status=202, body=body, headers={"X-Gitea-Event": "pull_request"})
    answer = receive_delivery(HOOK, row.sent(), row.body, asked, comments=comments)

    assert 202 == answer.http_status
    assert asked.requested == ({("lab/edges", "pull/7"): "pull request"} if comments else {})


def test_each_branch_of_one_push_of_bitbucket_is_planned() -> None:
    """The annex branch as well; tags are nothing, and a queue that fails has the delivery sent again."""
    name = Path(__file__).parents[1] / "core/deliveries/bitbucket-push.json"
    said = json.loads(name.read_text())
    hook = dataclasses.replace(HOOK, forge="bitbucket", repository="LAB/*", secrets=("s",))
    asked = MemoryPlanRequests()
    answer = receive_delivery(hook, said["headers"], said["body"].encode(), asked)
    assert (202, "accepted") == (answer.http_status, answer.outcome)
    assert {("LAB/edges", "main"), ("LAB/edges", "git-annex")} == set(asked.requested)
    other = dataclasses.replace(hook, repository="OTHER/*")
    assert 404 == receive_delivery(other, said["headers"], said["body"].encode(), asked).http_status
