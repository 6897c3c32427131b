"""Names of datums are shown as people wrote them, and understood in both forms."""

from __future__ import annotations

from pathlib import Path

from tea_runner.core.datums.datum import Entry, is_label, shown_label
from tests.cli.dataset import FILES, Dataset

NAMES = ("grüße an alle.txt", "50%20 x.txt", "line\nend.txt")


def test_names_are_shown_as_people_wrote_them(tmp_path: Path) -> None:
    """Programs get labels in which everything unusual is encoded; what cannot be seen is escaped."""
    files = {f"raw/{name}": "x" for name in NAMES}
    dataset = Dataset(tmp_path / "ds", {"shout/spec.yml": FILES["shout/spec.yml"], **files})

    plan = dataset.tea("plan")

    assert "run(new): shout in:grüße an alle.txt  " in plan.out
    assert "run(new): shout in:50%20 x.txt  " in plan.out
    assert "run(new): shout in:line\\x0aend.txt  " in plan.out
    assert "in:gr%C3%BC%C3%9Fe%20an%20alle.txt" in {
        row["datum"] for row in dataset.tea("datums", "--json").json
    }
    for word in (
        "in:grüße an alle.txt",
        "in:gr%C3%BC%C3%9Fe%20an%20alle.txt",
        "shout in:50%20 x.txt",
    ):
        why = dataset.tea("why", word)
        assert (0, True) == (why.code, "run(new): shout in:" in why.out), why


def test_a_label_is_understood_in_both_forms() -> None:
    """Each with the pipeline's name before it, or alone."""
    label = Entry(0, "in", "a b%", False).label
    assert ("in:a%20b%25", "in:a b%") == (label, shown_label(label))
    for word in (label, "in:a b%", f"up {label}", "up in:a b%"):
        assert is_label(word, label, "up")
    assert not is_label("other in:a b%", label, "up")
