"""Dataset: memory, a mirror of a forge, a person's clone."""

from __future__ import annotations

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.core.planning.input_trigger import InputState
from tests.contracts.dataset_sides import Side
from tests.contracts.dataset_sides import side as side
from tests.contracts.test_objects import UNKNOWN

TRUSTED = ("main", "release/*")
KEYS = tuple(letter * 64 for letter in "abc")


def test_a_branch_has_a_tip_once_it_was_fetched(side: Side) -> None:
    """None where there is no such branch; ``git-annex`` is a branch, too."""
    tip, _ = side.write({"raw/a": b"2"})
    side.push("refs/heads/release/1", tip)
    side.push("refs/heads/git-annex", tip)
    side.dataset.refresh()

    assert side.dataset.tip("release/1") == tip
    assert side.dataset.annex_tip() == tip
    assert side.dataset.tip("release") is None
    assert side.dataset.tip("nothing") is None


def test_scopes_follow_the_trusted_branches(side: Side) -> None:
    """A pull request's branch is in none of them."""
    assert side.dataset.scope("main") == ""
    assert side.dataset.scope("release/2") == ""
    assert side.dataset.scope("feature") == scope_of("feature", TRUSTED) != ""


def test_without_git_annex_nothing_is_annexed(side: Side) -> None:
    """There is no such branch."""
    assert side.dataset.default_largefiles() == "nothing"


def test_the_rule_of_git_annex_config_is_read(side: Side) -> None:
    """From ``config.log`` of the ``git-annex`` branch; a clone reads it once."""
    tip, _ = side.write({"config.log": b"1696043833s annex.largefiles largerthan=1mb\n"})
    side.push("refs/heads/git-annex", tip)
    side.dataset.refresh()

    assert side.dataset.default_largefiles() == "largerthan=1mb"


# -- publishing ------------------------------------------------------------------------------


def test_refs_move_together_from_what_is_expected(side: Side) -> None:
    """Changed, made, deleted; known here at once."""
    first = side.dataset.tip("main")
    assert first is not None
    second, _ = side.write({"raw/a": b"2"}, upon=first)
    new: list[tuple[str, str, str | None]] = [
        ("refs/heads/main", second, first),
        ("refs/tea/jobs/1", first, None),
    ]

    assert side.dataset.publish(new)
    assert side.dataset.tip("main") == second
    assert side.dataset.publish([("refs/tea/jobs/1", "", first)])
    assert side.dataset.publish([("refs/tea/jobs/1", second, None)])


@pytest.mark.parametrize("expected", [None, UNKNOWN])
def test_nothing_moves_when_a_ref_has_another_id(side: Side, expected: str | None) -> None:
    """All or none, in whatever order they are named."""
    first = side.dataset.tip("main")
    assert first is not None
    second, _ = side.write({"raw/a": b"2"}, upon=first)
    good: tuple[str, str, str | None] = ("refs/heads/new", second, None)
    bad: tuple[str, str, str | None] = ("refs/heads/main", second, expected)

    assert not side.dataset.publish([good, bad])
    assert not side.dataset.publish([bad, good])
    side.dataset.refresh()
    assert (side.dataset.tip("main"), side.dataset.tip("new")) == (first, None)


def test_a_ref_that_is_gone_is_not_moved(side: Side) -> None:
    """Neither changed nor deleted."""
    first = side.dataset.tip("main")
    assert first is not None

    assert not side.dataset.publish([("refs/heads/other2", first, first)])


def test_job_refs_are_deleted_if_they_are_there(side: Side) -> None:
    """Unknown ones are passed over."""
    commit, _ = side.results(KEYS[0])
    assert side.dataset.publish([("refs/tea/jobs/1", commit, None)])
    side.dataset.delete_job_refs(["refs/tea/jobs/1", "refs/tea/jobs/2"])
    side.dataset.delete_job_refs([])

    assert dict(side.dataset.unsettled_results()) == {}


# -- results of jobs -------------------------------------------------------------------------


def test_results_at_refs_of_jobs_are_found(side: Side) -> None:
    """Key to ref and result; what is no result counts as none."""
    commit, (one, two) = side.results(*KEYS[:2])
    garbage, _ = side.write({"results.json": b"nonsense"})
    side.push("refs/tea/jobs/1", commit)
    side.push("refs/tea/jobs/2", garbage)
    side.dataset.refresh()

    assert dict(side.dataset.unsettled_results()) == {
        KEYS[0]: ("refs/tea/jobs/1", one),
        KEYS[1]: ("refs/tea/jobs/1", two),
    }


def test_the_first_ref_counts_and_a_recomputed_result_before_it(side: Side) -> None:
    """For every reader alike."""
    first, (one,) = side.results(KEYS[0])
    second, _ = side.results(KEYS[0], KEYS[1])
    side.push("refs/tea/jobs/1", first)
    side.push("refs/tea/jobs/2", second)
    side.dataset.refresh()
    assert side.dataset.unsettled_results()[KEYS[0]] == ("refs/tea/jobs/1", one)
    salted, (again,) = side.results(KEYS[0], salt="r1")
    side.push("refs/tea/jobs/3", salted)
    side.dataset.refresh()

    assert side.dataset.unsettled_results()[KEYS[0]] == ("refs/tea/jobs/3", again)


def test_results_of_a_scope_are_its_own(side: Side) -> None:
    """They come before trusted ones, and nobody else sees them."""
    mine, (own,) = side.results(KEYS[0])
    theirs, _ = side.results(KEYS[0], KEYS[1])
    side.push("refs/tea/scopes/aaaa/1", mine)
    side.push("refs/tea/jobs/1", theirs)
    side.dataset.refresh()

    assert side.dataset.unsettled_results("aaaa")[KEYS[0]] == ("refs/tea/scopes/aaaa/1", own)
    assert side.dataset.unsettled_results("aaaa").keys() == set(KEYS[:2])
    assert side.dataset.unsettled_results()[KEYS[0]][0] == "refs/tea/jobs/1"
    assert side.dataset.unsettled_results("bbbb")[KEYS[0]][0] == "refs/tea/jobs/1"


# -- when the world fails --------------------------------------------------------------------


def test_a_forge_that_is_gone_is_an_outside_error(side: Side) -> None:
    """For what asks it; what was fetched can still be read."""
    tip = side.dataset.tip("main")
    assert tip is not None
    if side.dataset.is_clone:
        return  # It asks no forge.
    side.stop()
    with pytest.raises(OutsideError):
        side.dataset.refresh()
    with pytest.raises(OutsideError):
        side.dataset.publish([("refs/heads/main", "", tip)])
    side.dataset.delete_job_refs(["refs/tea/jobs/1"])

    assert side.dataset.tip("main") == tip


def test_a_branch_of_whole_results_is_moved_unless_somebody_else_did(side: Side) -> None:
    """It is made, found where it is, and left alone when it is anywhere else; a clone moves none."""
    tips = side.dataset.tips("main", "published")
    assert tips is not None
    assert tips.output == ("" if side.dataset.is_clone else "published")
    if not tips.output:
        return
    first = tips.planned
    assert ("", "") == (side.dataset.publish_output(tips), side.dataset.publish_output(tips))
    assert first == side.dataset.tip("published")

    second, _ = side.write({"raw/a": b"2"}, upon=first)
    side.push("refs/heads/main", second)
    assert side.dataset.publish_output(tips) in ("", None), "the former push changes nothing"
    side.dataset.refresh()
    tips = side.dataset.tips("main", "published")
    assert tips is not None
    assert ("", second) == (side.dataset.publish_output(tips), side.dataset.tip("published"))

    side.push("refs/heads/published", first)
    side.dataset.refresh()
    assert "published (output_branch)" in (side.dataset.publish_output(tips) or "")
    assert first == side.dataset.tip("published")


def test_a_book_of_ticks_is_kept_until_it_is_removed(side: Side) -> None:
    """With values of variables and states of inputs; one that has changed meanwhile is not replaced."""
    state = InputState(
        seen="a",
        seen_commit="b",
        seen_at="2026-12-01T00:00:00Z",
        taken_at="2026-12-01T00:00:00Z",
        commits=2,
        fired=True,
    )
    book = side.dataset.tick_book("main")
    new = book.with_variables("p", {"year": "2026"}).with_input(("p", "raw"), state)
    assert side.dataset.record_ticks("main", new)
    assert not side.dataset.record_ticks("main", book.with_variables("p", {}))
    side.dataset.refresh()
    found = side.dataset.tick_book("main")
    assert (new, {"year": "2026"}, state) == (found, found.variables["p"], found.inputs["p", "raw"])
    side.dataset.remove_ticks("main")
    side.dataset.refresh()
    assert (book, None) == (side.dataset.tick_book("main"), side.dataset.tick_book("main").at)
