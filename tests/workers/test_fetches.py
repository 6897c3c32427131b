"""When a planner fetches: always after a push, and after jobs only what is not here already."""

from __future__ import annotations

import pytest

from tea_runner.flow.advance_outcome import BranchProgress
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.workers.conftest import Counting

#: How a fetch begins, and how refs are listed by us.
FETCH, LIST = "/info/refs?service=git-upload-pack", "/git-upload-pack"


def planned(hands: Hands) -> BranchProgress:
    """What a plan of the branch found."""
    advance = hands.plan()
    assert advance is not None
    return advance


@pytest.mark.long
def test_after_jobs_of_this_host_there_is_nothing_to_fetch(
    forged: Lab, hands: Hands, faults: Counting
) -> None:
    """One list of refs says so; the results commit is pushed all the same."""
    planned(hands)
    hands.work()
    pushed = forged.tip()
    faults.asked.clear()

    assert planned(hands).ended
    assert (0, 1) == (faults.count("GET", FETCH), faults.count("POST", LIST)), faults.asked
    assert pushed != forged.tip()


def test_results_of_another_host_are_fetched(forged: Lab, hands: Hands, faults: Counting) -> None:
    """The list shows a ref that is not here."""
    other = Hands(forged, "other")
    planned(hands)
    other.work()
    faults.asked.clear()

    assert planned(hands).ended
    assert 1 == faults.count("GET", FETCH), faults.asked
    other.close()


@pytest.mark.long
def test_a_push_during_the_jobs_is_seen_when_they_have_ended(forged: Lab, hands: Hands) -> None:
    """Its delivery was lost, or is still under way: what was pushed is planned."""
    planned(hands)
    hands.work()
    forged.write({"raw/b.txt": "b\n"})
    forged.save("more")
    pushed = forged.push()

    advance = planned(hands)
    assert (pushed, False) == (advance.origin, advance.ended)


@pytest.mark.long
def test_a_push_is_fetched_without_a_question_before(
    forged: Lab, hands: Hands, faults: Counting
) -> None:
    """A list of refs would only say what is known: that there is something new.

    Nor is git refused first: it says who it is with its first request.
    """
    planned(hands)
    hands.site.plan_requests.request_plan(forged.name, "refs/heads/main", why="delivery")
    faults.asked.clear()
    planned(hands)
    git = [each for each in faults.asked if "/data.git/" in each]
    assert [f"GET /lab/data.git{FETCH}", f"POST /lab/data.git{LIST}"] == git
