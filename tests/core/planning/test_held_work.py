"""What waits for a person: too much work without an approval, and what was paused."""

from __future__ import annotations

import pytest

from tea_runner.core.planning.approval_or_pause import (
    Order,
    is_outdated,
    newest,
    pause_of,
    seal_order,
    unseal_order,
)
from tea_runner.core.planning.paused_or_unapproved_work import (
    BranchOrders,
    PlannedWork,
    WorkLimits,
    excess,
)

COMMIT = "c" * 40


def pause(repository: str = "", pipeline: str = "", at: float = 1.0) -> Order:
    """By ada."""
    return Order(kind="pause", repository=repository, pipeline=pipeline, by="ada", at=at)


@pytest.mark.parametrize(
    ("datums", "seconds", "limits", "expected"),
    [
        (100, None, WorkLimits(), ""),
        (100, None, WorkLimits(datums=100), ""),
        (101, None, WorkLimits(datums=100), "would compute 101 datums; limits.ask_above is 100"),
        (1, None, WorkLimits(hours=1), ""),
        (
            3600,
            2.0,
            WorkLimits(hours=1),
            "would compute 3,600 datums, about 2.0 hours; limits.ask_above_hours is 1",
        ),
    ],
)
def test_too_much_is_said_with_the_limit(
    datums: int, seconds: float | None, limits: WorkLimits, expected: str
) -> None:
    """Hours count where former datums tell how long one takes."""
    assert expected == excess([PlannedWork("copy", datums, seconds)], limits)


def test_the_pipelines_of_a_push_count_together() -> None:
    """Either none of them waits, or all."""
    orders = BranchOrders(repository="lab/data", branch="main", limits=WorkLimits(datums=10))
    work = [PlannedWork("copy", 6), PlannedWork("edges", 6)]
    assert {"copy": "approval-needed", "edges": "approval-needed"} == {
        name: hold.reason for name, hold in orders.holds(COMMIT, work).items()
    }
    assert {} == orders.holds(COMMIT, work[:1])


def test_an_approval_is_of_one_commit_on_one_branch() -> None:
    """The next push asks again."""
    given = Order(
        kind="approve", repository="lab/data", branch="main", commit=COMMIT, by="ada", at=1.0
    )
    work = [PlannedWork("copy", 6)]

    def reasons(branch: str, commit: str) -> list[str]:
        orders = BranchOrders(
            repository="lab/data", branch=branch, limits=WorkLimits(datums=1), orders=[given]
        )
        return [hold.reason for hold in orders.holds(commit, work).values()]

    assert [] == reasons("main", COMMIT)
    assert ["approval-needed"] == reasons("main", "d" * 40) == reasons("other", COMMIT)


def test_a_pause_holds_what_it_names_whatever_is_approved() -> None:
    """A pipeline, a repository, or everything."""
    for order, expected in (
        (pause("lab/data", "copy"), "pipeline copy of lab/data was paused by ada"),
        (pause("lab/data"), "lab/data was paused by ada"),
        (pause(), "everything was paused by ada"),
        (pause("lab/data", "edges"), None),
        (pause("lab/other"), None),
    ):
        orders = BranchOrders(repository="lab/data", branch="main", orders=[order])
        held = orders.holds(COMMIT, [PlannedWork("copy", 1)]).get("copy")
        assert expected == (held.detail if held else None)


def test_the_latest_order_about_a_subject_counts() -> None:
    """A pause and its end are about the same."""
    paused, resumed = pause("lab/data", at=1.0), Order(kind="resume", repository="lab/data", at=2.0)
    orders = newest({paused.subject: paused}, {resumed.subject: resumed})
    assert [resumed] == list(orders.values())
    assert None is pause_of(orders.values(), "lab/data", "copy")


def test_a_seal_says_that_this_server_made_the_order() -> None:
    """Another key, an edited body and other texts are no orders."""
    order = pause("lab/data")
    text = seal_order(order, b"secret")
    assert order == unseal_order(text, b"secret")
    assert None is unseal_order(text, b"another")
    assert None is unseal_order(text.replace("lab/data", "lab/date"), b"secret")
    for other in ("", "[]", "{}", "null", '{"body": 1, "mac": 2}', "[" * 100_000):
        assert None is unseal_order(other, b"secret")


def test_pauses_stay_and_other_orders_end() -> None:
    """After three months."""
    late = 100 * 86_400.0
    assert not is_outdated(pause(), late)
    assert is_outdated(Order(kind="resume", at=1.0), late)
