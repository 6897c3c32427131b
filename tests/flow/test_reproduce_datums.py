"""Datums computed again in scratch and compared with the results in a commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tea_runner.core.datums.content_identity import Content as Identity
from tea_runner.core.datums.content_identity import blob_content
from tea_runner.core.errors import CommandFailed, JobError, NotFound, UserError
from tea_runner.core.planning.plan import KeyedDatum
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.reproduce_datums import ScratchFile, reproduce_datums
from tests.twins.files import Symlink
from tests.twins.lab import MemoryLab, output_of
from tests.twins.plans import TWO


@dataclass(frozen=True)
class File:
    """A file in scratch."""

    path: str
    text: str = ""
    link: str = ""
    executable: bool = False
    #: Whether this machine cannot compute the hash.
    odd: bool = False

    def has_content(self, content: Identity) -> bool:
        """Compare with the hash."""
        if self.odd:
            raise UserError("no such hash here")
        return content == blob_content("", self.text.encode(), content.algorithm)


@dataclass(frozen=True)
class Computed:
    """A datum that was computed."""

    item: KeyedDatum
    files: Sequence[ScratchFile] = ()
    error: JobError | None = None


@pytest.fixture
def settled(lab: MemoryLab) -> MemoryLab:
    """Two datums that wrote a file and a link each."""
    lab.push(TWO)
    lab.settle(command=lambda label, _: {output_of(label): "x", f"{label[-1]}.link": Symlink("t")})
    return lab


def reproduce(
    lab: MemoryLab, *words: str, error: JobError | None = None, **change: str | bool
) -> list[RecomputeVerdict]:
    """Verify with a command that writes the same, with one thing changed."""

    def compute(work: PipelineInputs, wanted: Sequence[tuple[str, str]]) -> Iterator[Computed]:
        assert work.pipeline.name == "copy"
        for label, key in wanted:
            text = str(change.get("text", "x"))
            flags = {"executable": bool(change.get("executable")), "odd": bool(change.get("odd"))}
            file = File(output_of(label), text, **flags)
            link = File(f"{label[-1]}.link", link=str(change.get("link", "t")))
            found = [] if error else [file, link]
            yield Computed(KeyedDatum(label, key, ""), found, error)

    return list(reproduce_datums(lab.view(), words, compute))


def outcomes(verdicts: list[RecomputeVerdict]) -> list[tuple[str, str, str]]:
    """Datum, outcome and detail."""
    return [(verdict.datum, verdict.outcome, verdict.detail) for verdict in verdicts]


def test_the_same_bytes_are_ok(settled: MemoryLab) -> None:
    """Of all datums with results, without any word."""
    assert outcomes(reproduce(settled)) == [("in:a", "ok", ""), ("in:b", "ok", "")]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"text": "y"}, "copy/in-a.txt"),
        ({"link": "other"}, "copy/a.link"),
        ({"executable": True}, "copy/in-a.txt"),
    ],
)
def test_other_bytes_differ(settled: MemoryLab, change: dict[str, str], path: str) -> None:
    """The paths are named."""
    assert outcomes(reproduce(settled, "in:a", **change)) == [("in:a", "differs", path)]


@pytest.mark.parametrize("word", ["copy", "in:a", "copy in:a", "KEY"])
def test_a_word_chooses_datums(settled: MemoryLab, word: str) -> None:
    """A pipeline, a label, both, or the beginning of a key."""
    key = settled.plan().plan.pipelines[0].decisions[0].key
    found = reproduce(settled, key[:8] if word == "KEY" else word)

    assert [each.datum for each in found] == (["in:a", "in:b"] if word == "copy" else ["in:a"])


def test_an_unknown_word_is_an_error_before_anything_runs(settled: MemoryLab) -> None:
    """The next step is named."""
    with pytest.raises(NotFound, match="no pipeline or datum nothing"):
        reproduce(settled, "in:a", "nothing")


def test_a_failed_datum_has_its_sentence(settled: MemoryLab) -> None:
    """On one line."""
    error = CommandFailed("ended with\n code 1")

    assert outcomes(reproduce(settled, "in:a", error=error)) == [
        ("in:a", "failed", "ended with code 1")
    ]


def test_changed_inputs_and_unknown_hashes_are_skipped(settled: MemoryLab) -> None:
    """There is nothing to compare with."""
    assert outcomes(reproduce(settled, "in:a", odd=True)) == [
        ("in:a", "skipped", "no such hash here")
    ]
    settled.push({"raw/a": "changed"})
    found = reproduce(settled, "in:a")

    assert found[0].outcome == "skipped"
    assert "its inputs have changed since" in found[0].detail
