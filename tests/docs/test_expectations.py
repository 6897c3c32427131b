"""The page of expectations: each row has a state and a test that exists."""

from __future__ import annotations

import re
from collections import Counter

from tests.docs.page import ROOT

_ROW = re.compile(r"^\| (\d+) \| .* \| (met|partly|not) \| .* \| `([^`]*)` \|$", re.MULTILINE)


def test_each_expectation_has_a_test_that_exists() -> None:
    """All 59 in order; the sentence above them counts them."""
    text = (ROOT / "docs/explanation/expectations.md").read_text(encoding="utf-8")
    rows = _ROW.findall(text)
    assert list(range(1, 60)) == [int(number) for number, _, _ in rows]
    states = Counter(state for _, state, _ in rows)
    assert f"{states['met']} are met, {states['partly']} partly." in text
    for _, _, test in rows:
        file, _, name = test.partition("::")
        source = (ROOT / file).read_text(encoding="utf-8")
        assert not name or f"def {name}(" in source, test
