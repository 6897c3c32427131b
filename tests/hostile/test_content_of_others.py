"""Somebody who may push to one repository asks for annexed content of another one on the same storage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.errors import ContentMissing, Refused
from tea_runner.core.git.annex_paths import log_path
from tests.hostile.forge import UUID
from tests.hostile.neighbours import ADA, PUBLIC, Neighbours

TOLD = b"told to few\n"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Neighbours]:
    """A server with nothing to do yet."""
    made = Neighbours(tmp_path)
    yield made
    made.forge.close()


def _logged(key: str, present: int = 1) -> dict[str, str]:
    return {log_path(key): f"1700000000s {present} {UUID}\n"}


def test_a_key_in_the_tree_alone_opens_no_content(lab: Neighbours) -> None:
    """The repository's own git-annex branch has to know it; a job waits until it does."""
    key = lab.forge.store(TOLD)
    lab.make("mine", PUBLIC, annexed={"raw/b.txt": key})

    met = lab.meet("mine")

    assert b"told to few\n" not in met.outputs.values()
    assert "the git-annex branch of this repository has no log of it" in met.said


@pytest.mark.parametrize("present", [0, 1])
def test_content_that_the_repository_has_or_had_is_given(lab: Neighbours, present: int) -> None:
    """The log may say that it was dropped: the storage is asked."""
    key = lab.forge.store(TOLD)
    lab.make("mine", PUBLIC, annexed={"raw/b.txt": key}, **{"git-annex": _logged(key, present)})

    assert TOLD == lab.meet("mine").outputs["up/b.txt"]


def test_no_other_way_leads_to_the_content(lab: Neighbours) -> None:
    """The annex of a dataset gives no foreign key to anybody who asks, as the conversion of results does."""
    key = lab.forge.store(TOLD)
    lab.make("mine", PUBLIC)
    dataset = lab.forge.site.repository("lab/mine")
    dataset.refresh()

    with pytest.raises(ContentMissing):
        dataset.prepared_annex().get([key])
    dataset.close()


def test_repositories_with_different_readers_share_no_storage_by_themselves(
    lab: Neighbours,
) -> None:
    """A log can be forged by whoever may push: the later one is refused, with the next step."""
    key = lab.forge.store(TOLD)
    row = {"annexed": {"raw/b.txt": key}, "git-annex": _logged(key)}
    lab.make("secret", ADA, **row)
    lab.make("open", PUBLIC, **row)
    assert TOLD == lab.meet("secret").outputs["up/b.txt"]

    met = lab.meet("open")

    assert {} == met.outputs
    assert "storage store is used by lab/secret as well" in met.said
    assert "different readers" in met.said


@pytest.mark.parametrize("first", ["open", "secret"])
def test_the_order_of_the_first_use_does_not_matter(lab: Neighbours, first: str) -> None:
    """Whoever comes second is refused."""
    lab.make("secret", ADA)
    lab.make("open", PUBLIC)
    second = "open" if first == "secret" else "secret"
    datasets = [lab.forge.site.repository(f"lab/{name}") for name in (first, second)]
    for dataset in datasets:
        dataset.refresh()
    datasets[0].prepared_annex()

    with pytest.raises(Refused, match=f"used by lab/{first} as well"):
        datasets[1].prepared_annex()
    lab.facts.remove(f"lab/{first}")
    lab._now += 61
    datasets[1].prepared_annex()
    for dataset in datasets:
        dataset.close()


def test_an_operator_may_open_a_storage_to_several(lab: Neighbours) -> None:
    """By name; it is then his word that their contributors may have each other's content."""
    lab.open_storage("lab/secret", "lab/open")
    key = lab.forge.store(TOLD)
    row = {"annexed": {"raw/b.txt": key}, "git-annex": _logged(key)}
    for name, audience in (("secret", ADA), ("open", PUBLIC)):
        lab.make(name, audience, **row)
        assert TOLD == lab.meet(name).outputs["up/b.txt"]


def test_a_storage_is_closed_to_repositories_that_it_does_not_list(lab: Neighbours) -> None:
    """They get nothing from it, and put nothing there."""
    lab.open_storage("lab/secret")
    key = lab.forge.store(TOLD)
    lab.make("open", PUBLIC, annexed={"raw/b.txt": key}, **{"git-annex": _logged(key)})

    met = lab.meet("open")

    assert TOLD not in met.outputs.values()
    assert () == lab.forge.site.repository("lab/open").remotes.names
