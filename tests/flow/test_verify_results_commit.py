"""A results commit is what its inputs and outputs make; whatever is changed by hand is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.twins.dataset import MemoryDataset
from tests.twins.files import Annexed, Content, Executable, Symlink
from tests.twins.lab import WHO, MemoryLab, output_of, store_tree
from tests.twins.plans import TWO
from tests.twins.queries import check
from tests.twins.specs import spec

ONE: dict[str, Content] = {"raw/a": "one", "copy/spec.yml": spec("copy")}


def forge(
    lab: MemoryLab,
    files: dict[str, Content | None] | None = None,
    *,
    message: Callable[[str], str] = str,
    seconds: int = 0,
) -> str:
    """The commit at the tip, made again by hand with other files, message or time."""
    real = lab.dataset.objects.commit(lab.tip())
    tree = store_tree(lab.dataset, real.tree, files or {})
    store = lab.dataset.writer()
    when = seconds or real.committed
    oid = store.commit(tree, real.parents, message(real.message), who=WHO, seconds=when)
    store.flush()
    return oid


@pytest.mark.parametrize("files", [ONE, TWO])
def test_what_the_planner_made_is_right(lab: MemoryLab, files: dict[str, Content]) -> None:
    """One datum and a chain; the numbers say what was looked at."""
    lab.push(files)
    lab.settle()
    found = check(lab)

    assert found.problems == []
    assert (found.pipeline, found.datums, found.outputs) == ("copy", len(files) - 1, len(files) - 1)


def test_outputs_of_every_kind_are_right(lab: MemoryLab) -> None:
    """Annexed, executable, symlink."""
    lab.push(ONE)
    made: dict[str, Content] = {"a": Annexed("x"), "b": Executable("x"), "c": Symlink("a")}
    lab.settle(command=lambda *_: made)

    assert check(lab).problems == []
    assert check(lab).outputs == 3


def test_only_the_changed_datums_are_in_a_later_commit(lab: MemoryLab) -> None:
    """Also one that only removes."""
    lab.push(TWO)
    lab.settle()
    lab.push({"raw/a": "other"})
    lab.settle()
    assert check(lab).problems == []
    lab.push({"raw/a": None})
    lab.settle()

    assert check(lab).problems == []


def test_a_signed_commit_is_compared_without_its_signature() -> None:
    """Anybody can check it, without the key."""
    lab = MemoryLab(MemoryDataset(sign=lambda _: b"a signature\n"))
    lab.push(TWO)
    lab.settle()
    lab.dataset._sign = None

    assert check(lab).problems == []


def test_a_recomputed_result_is_right(lab: MemoryLab) -> None:
    """Its manifest lists the key, and its time is a second later."""
    lab.push(ONE)
    lab.settle()
    lab.recompute.add(["copy"], "r1")
    lab.settle(command=lambda label, _: {output_of(label): "other"}, recompute=True)

    assert lab.trailers()["Tea-Recompute"] == "1"
    assert check(lab).problems == []


OTHER = "it is not the commit that these inputs and outputs make"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"copy/in-a.txt": Executable("by hand")}, ""),
        ({"copy/in-a.txt": None}, "output in-a.txt of datum in:a is not in its tree"),
        ({"README": "smuggled"}, OTHER),
        ({"raw/a": "smuggled"}, OTHER),
        ({"copy/manifest.tsv": "nonsense"}, OTHER),
    ],
)
def test_a_changed_tree_is_found(
    lab: MemoryLab, files: dict[str, Content | None], problem: str
) -> None:
    """Files beside the results, inputs, and outputs that are gone.

    Other bytes of an output cannot be told from what a command wrote: that is what signatures are for.
    """
    lab.push(TWO)
    lab.settle()
    found = check(lab, forge(lab, files))

    if problem:
        assert problem in " ".join(found.problems)
    else:
        assert [each for each in found.problems if OTHER not in each] == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("in:a\t", "in:x\t", "datum in:x is in the manifest, but not in commit"),
        ("\t\tin-a.txt", "\tdeep\tin-a.txt", "at deep, its inputs make"),
    ],
)
def test_a_changed_manifest_is_found(lab: MemoryLab, old: str, new: str, problem: str) -> None:
    """A datum, or its place, that the inputs do not give."""
    lab.push(TWO)
    lab.settle()
    text = lab.text("copy/manifest.tsv")
    assert old in text
    found = check(lab, forge(lab, {"copy/manifest.tsv": text.replace(old, new)}))

    assert problem in " ".join(found.problems)


def test_a_changed_key_is_found(lab: MemoryLab) -> None:
    """Both keys are named."""
    lab.push(ONE)
    lab.settle()
    text = lab.text("copy/manifest.tsv")
    key = lab.trailers()["Tea-Key"]
    found = check(lab, forge(lab, {"copy/manifest.tsv": text.replace(key, "f" * 64)}))

    assert found.problems[0] == (
        f"datum in:a: the manifest has key {'f' * 12} at ., its inputs make {key[:12]} at ."
    )


@pytest.mark.parametrize(
    ("change", "seconds"),
    [
        (lambda text: text.replace("make-it", "rm -rf"), 1),
        (lambda text: text.replace("copy:", "Copy:"), 0),
        (str, 1_800_000_000),
    ],
)
def test_a_changed_message_or_time_is_found(
    lab: MemoryLab, change: Callable[[str], str], seconds: int
) -> None:
    """Title, record and dates are those that the inputs give."""
    lab.push(ONE)
    lab.settle()
    found = check(lab, forge(lab, message=change, seconds=seconds))

    assert [problem[: len(OTHER)] for problem in found.problems] == [OTHER]


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("words\n", "it is not a results commit: it names no pipeline or has no parent"),
        ("x\n\nTea-Pipeline: other\n", "on which it builds, has no pipeline other"),
        ("x\n\nTea-Pipeline: copy\n", "its inputs make no results commit"),
    ],
)
def test_a_commit_without_results_is_none(lab: MemoryLab, message: str, problem: str) -> None:
    """A person's commit, one of an unknown pipeline, one that changes nothing."""
    lab.push(ONE)
    lab.settle()
    tip = lab.push({}, message=message)

    assert problem in " ".join(check(lab, tip).problems)


def test_pipelines_at_odds_are_reported(lab: MemoryLab) -> None:
    """The commit cannot be made again."""
    lab.push({**ONE, "two/spec.yml": spec("copy")})
    tip = lab.push({}, message="x\n\nTea-Pipeline: copy\n")

    assert "two pipelines are called copy" in " ".join(check(lab, tip).problems)


def test_missing_objects_are_no_verdict(lab: MemoryLab) -> None:
    """A shallow clone does not have what it takes."""
    lab.push(ONE)
    lab.settle()
    lab.dataset.objects.remove(lab.dataset.objects.commit(lab.tip()).parents[0])

    assert check(lab).problems[0].startswith("it cannot be checked here: ")
