"""From a delivery to a plan request: the judgement without any web."""

from __future__ import annotations

import pytest

from tea_runner.core.hook import Hook
from tea_runner.flow.receive_delivery import receive_delivery
from tests.web.deliveries import SECRET, Row, push


class Asked:
    """Plan requests in memory."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str]] = []

    def request_plan(self, repository: str, ref: str, *, why: str) -> None:
        """Keep the request."""
        self.said.append((repository, ref, why))


HOOK = Hook(id="a" * 24, forge="gitea", repository="lab/*", secrets=(SECRET,))


def test_a_push_asks_for_one_plan_and_says_why() -> None:
    """Repository and ref come from the delivery; the reason names the commit."""
    asked = Asked()
    row = Row(row="0", name="", status=202)
    answer = receive_delivery(HOOK, row.sent(), row.body, asked)
    assert (answer.status, answer.outcome) == (202, "accepted")
    assert asked.said == [("lab/edges", "refs/heads/main", "push of 4bb71d674bc2")]


def test_a_deleted_branch_asks_too() -> None:
    """The planner finds that there is nothing left, and stops what runs."""
    asked = Asked()
    row = Row(row="0", name="", status=202, body=push(after="0" * 40))
    receive_delivery(HOOK, row.sent(), row.body, asked)
    assert asked.said == [("lab/edges", "refs/heads/main", "branch deleted")]


@pytest.mark.parametrize(
    ("patterns", "status"),
    [((), 202), (("lab/*",), 202), (("lab/other", "*/edges"), 202), (("lab/other",), 404)],
)
def test_the_settings_narrow_what_hooks_may_announce(
    patterns: tuple[str, ...], status: int
) -> None:
    """A repository that no pattern names is not there; without patterns the hooks decide."""
    row = Row(row="0", name="", status=status)
    answer = receive_delivery(HOOK, row.sent(), row.body, Asked(), repositories=patterns)
    assert status == answer.status


def test_a_refusal_does_not_say_which_secret_was_near() -> None:
    """A wrong signature is answered alike, whatever is wrong with it."""
    rows = [
        Row(row="0", name="", status=401, secret="x"),
        Row(row="0", name="", status=401, headers={"X-Gitea-Signature": "nonsense"}),
        Row(row="0", name="", status=401, drop=("X-Gitea-Signature",)),
    ]
    answers = {repr(receive_delivery(HOOK, row.sent(), row.body, Asked())) for row in rows}
    assert len(answers) == 1


def test_an_unread_event_asks_for_nothing() -> None:
    """Even when its body would be a push."""
    asked = Asked()
    row = Row(row="18", name="", status=202, headers={"X-Gitea-Event": "status"})
    answer = receive_delivery(HOOK, row.sent(), row.body, asked)
    assert answer.body["reason"] == "ignored: event 'status'"
    assert asked.said == []
