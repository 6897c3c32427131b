"""Results that cannot be published, and known results that cannot be read."""

from __future__ import annotations

from tests.twins.files import Annexed, Content
from tests.twins.lab import MemoryLab, output_of
from tests.twins.plans import TWO
from tests.twins.specs import pfs, spec


def annexed(label: str, key: str) -> dict[str, Content]:
    """Write one annexed file."""
    return {output_of(label): Annexed(f"made with {key}")}


def test_two_pipelines_that_claim_one_path_are_refused(lab: MemoryLab) -> None:
    """The second is refused with a sentence that names the path; the first is published."""
    lab.push(
        {
            "raw/a": "1",
            "deep/b": "2",
            "one/spec.yml": spec("one", pfs("raw")),
            "one/two/spec.yml": spec("two", pfs("deep")),
        }
    )

    def command(label: str, key: str) -> dict[str, Content]:
        return {("two/out.txt" if label == "in:a" else "out.txt"): key}

    done, _ = lab.settle(command=command)

    states = {name: p.state for name, p in done.pipelines.items()}
    assert sorted(states.values()) == ["failed", "settled"]
    (refused,) = [p for p in done.pipelines.values() if p.state == "failed"]
    assert "out.txt" in refused.detail
    assert refused.counts == {"failed": 1}


def test_a_users_file_is_not_overwritten(lab: MemoryLab) -> None:
    """The pipeline is refused; nothing is published."""
    tip = lab.push({**TWO, "copy/in-a.txt": "by hand"})
    done, _ = lab.settle()

    assert done.pipelines["copy"].state == "failed"
    assert "in-a.txt" in done.pipelines["copy"].detail
    assert lab.tip() == tip


def test_a_result_that_no_longer_can_be_saved_there_is_refused(lab: MemoryLab) -> None:
    """The attributes ask for a form that it cannot have."""
    lab.push(TWO)
    lab.advance()
    lab.work()
    lab.dataset.inconvertible = {d.key for d in lab.plan().plan.pipelines[0].decisions}
    done = lab.advance()

    assert done.pipelines["copy"].state == "failed"
    assert "cannot be saved as .gitattributes asks" in done.pipelines["copy"].detail


def test_a_known_result_that_cannot_be_read_is_computed_again(lab: MemoryLab) -> None:
    """It counts as unknown for this call."""
    lab.push(TWO)
    lab.settle()
    lab.push({"raw/b": None})
    lab.settle()
    lab.push({"raw/b": "two"})
    (decision,) = lab.plan().plan.pipelines[0].moving
    lab.dataset.inconvertible = {decision.key}
    done = lab.advance()

    assert done.pipelines["copy"].counts == {"current": 1, "run": 1}
    lab.dataset.inconvertible = set()
    assert lab.work() == ["in:b"]
    assert lab.advance().ended


def test_known_results_whose_content_is_lost_are_computed_again(lab: MemoryLab) -> None:
    """Only those; no pointer is published whose content is in no storage."""
    lab.push(TWO)
    lab.settle(command=annexed)
    lab.push({"raw/a": "other", "raw/b": "another"})
    lab.settle(command=annexed)
    lab.push({"raw/a": "one", "raw/b": "two"})
    keys = {d.label: d.key for d in lab.plan().plan.pipelines[0].moving}
    del lab.dataset.content[Annexed(f"made with {keys['in:b']}").key]

    assert lab.settle(command=annexed)[1] == ["in:b"]
    assert lab.advance().ended
