"""Subdatasets: inputs in them, and pins that follow their repositories."""

from __future__ import annotations

import pytest

from tea_runner.core.errors import NotFound, OutsideError
from tests.twins.dataset import MemoryDataset
from tests.twins.files import Annexed, Gitlink
from tests.twins.lab import MemoryLab
from tests.twins.plans import plan_of, reasons
from tests.twins.queries import check
from tests.twins.specs import gitmodules, pfs, spec
from tests.twins.subdatasets import MemorySubdatasets


@pytest.fixture
def below() -> MemoryLab:
    """The dataset ``lab/below`` with one file."""
    below = MemoryLab(MemoryDataset("lab/below"))
    below.push({"raw/a": "one"})
    return below


def use(lab: MemoryLab, below: MemoryLab, source: str = "sub/raw", **more: object) -> None:
    """Commit a subdataset at ``sub`` and a pipeline that reads it."""
    lab.dataset.subdatasets = MemorySubdatasets(below.dataset)
    lab.push(
        {
            ".gitmodules": gitmodules(sub="../below"),
            "sub": Gitlink(below.tip()),
            "use/spec.yml": spec("use", pfs(source, "/*", **more)),
        }
    )


def pin(lab: MemoryLab) -> str:
    """The commit at which the tip has the subdataset."""
    return lab.entries()["sub"].oid


def test_an_input_in_a_subdataset_is_read_at_its_pin(lab: MemoryLab, below: MemoryLab) -> None:
    """What its repository has beyond that does not count."""
    use(lab, below)
    below.push({"raw/b": "two"})

    assert list(reasons(lab, "use")) == ["in:a"]
    lab.settle()
    lab.push({"sub": Gitlink(below.tip())})
    assert reasons(lab, "use") == {"in:a": ("current", "current"), "in:b": ("run", "new")}


@pytest.mark.parametrize("source", ["below/raw", "lab/below", "below"])
def test_a_subdataset_is_meant_by_its_path_or_its_repository(
    lab: MemoryLab, below: MemoryLab, source: str
) -> None:
    """``below`` and ``lab/below`` are the repository; what lies in it needs the path."""
    use(lab, below, source)
    plan = plan_of(lab, "use")

    assert plan.state == ("blocked" if source == "below/raw" else "running")


def test_a_subdatasets_pipelines_are_known_to_its_reader(lab: MemoryLab, below: MemoryLab) -> None:
    """Their homes are results, not raw data."""
    below.push({"copy/spec.yml": spec("copy")})
    below.settle()
    use(lab, below, "sub", track=False)

    assert list(reasons(lab, "use")) == ["in:raw/"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://elsewhere.example/x/y", "comes from https://elsewhere.example/x/y"),
        ("", "is a subdataset that .gitmodules does not list"),
    ],
)
def test_a_subdataset_that_may_not_be_used_blocks(
    lab: MemoryLab, below: MemoryLab, url: str, sentence: str
) -> None:
    """From another forge, or from nowhere."""
    use(lab, below)
    lab.push({".gitmodules": gitmodules(sub=url) if url else None})

    assert plan_of(lab, "use").state == "blocked"
    assert sentence in plan_of(lab, "use").detail


def test_without_subdatasets_the_pin_cannot_be_read(lab: MemoryLab, below: MemoryLab) -> None:
    """As ``lint`` without a forge."""
    use(lab, below)
    lab.dataset.subdatasets = None

    assert plan_of(lab, "use").state == "blocked"


def test_a_tracked_pin_moves_in_the_results_commit(lab: MemoryLab, below: MemoryLab) -> None:
    """A push upstream makes results here, with the hop counted."""
    use(lab, below, track=True)
    lab.settle()
    old = pin(lab)
    new = below.push({"raw/a": "two"})
    done = lab.advance()
    (job,) = lab.queue.jobs()
    assert job.pins == (("sub", new),)
    assert pin(lab) == old
    lab.work()
    done = lab.advance()

    assert done.ended
    assert pin(lab) == new
    assert lab.trailers()["Tea-Hops"] == "1"
    assert check(lab).problems == []


def test_a_move_that_changes_no_key_makes_no_commit(lab: MemoryLab, below: MemoryLab) -> None:
    """The pin stays."""
    use(lab, below, track=True)
    lab.settle()
    tip = lab.tip()
    below.push({"elsewhere": "x"})
    done, computed = lab.settle()

    assert (computed, lab.tip()) == ([], tip)
    assert done.ended


def test_results_of_several_datums_move_the_pin_in_the_first(
    lab: MemoryLab, below: MemoryLab
) -> None:
    """Each commit of the chain reads inputs that its parent has."""
    use(lab, below, track=True)
    lab.settle()
    new = below.push({"raw/a": "two", "raw/b": "three"})
    lab.settle()
    last = lab.dataset.objects.commit(lab.tip()).parents[1]
    first = lab.dataset.objects.commit(last).parents[0]

    assert lab.entries(commit=first)["sub"].oid == new
    assert check(lab).problems == []


def test_a_removed_input_moves_the_pin_too(lab: MemoryLab, below: MemoryLab) -> None:
    """A commit without a record has it."""
    below.push({"raw/b": "two"})
    use(lab, below, track=True)
    lab.settle()
    new = below.push({"raw/b": None})
    lab.settle()

    assert pin(lab) == new
    assert check(lab).problems == []


def test_pins_are_not_moved_where_the_dataset_does_not_say(
    lab: MemoryLab, below: MemoryLab
) -> None:
    """A clone, or a repository without the branch."""
    use(lab, below, track=True)
    lab.dataset.subdatasets = MemorySubdatasets(below.dataset, moves_pins=False)
    below.push({"raw/b": "two"})

    assert list(reasons(lab, "use")) == ["in:a"]


def test_the_branch_of_gitmodules_is_followed(lab: MemoryLab, below: MemoryLab) -> None:
    """Before the one that the pipeline names."""
    use(lab, below, track=True)
    below.push({"raw/stable": "1"}, branch="stable", parent=below.tip())
    lab.push({".gitmodules": gitmodules(sub="../below") + "\tbranch = stable\n"})

    assert list(reasons(lab, "use")) == ["in:a", "in:stable"]


def test_datasets_that_follow_one_another_are_stopped(lab: MemoryLab, below: MemoryLab) -> None:
    """After 16 results commits without a person's push."""
    use(lab, below, track=True)
    lab.settle()
    below.push({"raw/a": "two"}, message="x\n\nTea-Hops: 16\n")
    done, _ = lab.settle()

    assert done.pipelines["use"].state == "failed"
    assert "follow one another in a circle: sub" in done.pipelines["use"].detail


def test_a_lacking_commit_of_a_subdataset_blocks_or_is_tried_later(
    lab: MemoryLab, below: MemoryLab
) -> None:
    """A clone says what to fetch; a forge that does not answer is no fault of the dataset."""
    use(lab, below)
    lab.push({"sub": Gitlink("1" * 40)})
    assert plan_of(lab, "use").state == "blocked"
    assert "does not have commit 111111111111" in plan_of(lab, "use").detail
    use(lab, below, track=True)
    below.dataset.reachable = False
    with pytest.raises(OutsideError, match="the forge does not answer"):
        lab.plan()
    assert issubclass(NotFound, Exception)


def test_annexed_files_of_a_subdataset_are_known_by_their_keys(
    lab: MemoryLab, below: MemoryLab
) -> None:
    """Its own backend counts."""
    below.push({".gitattributes": "* annex.backend=SHA256E\n", "raw/b": Annexed("x", "SHA256E")})
    use(lab, below)
    lab.settle()
    below.push({"raw/b": "x"})
    lab.push({"sub": Gitlink(below.tip())})

    assert plan_of(lab, "use").state == "settled"
