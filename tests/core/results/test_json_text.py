"""Our indented JSON is Python's, byte for byte, and leaves nothing for the garbage collector."""

from __future__ import annotations

import gc
import json

from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.results.json_text import indented
from tests.garbage import sweep

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.integers(0, 3), st.booleans())
def test_the_text_is_pythons(value: object, by: int, ascii_only: bool) -> None:
    """Whatever a record may hold, strange characters and empty lists as well."""
    expected = json.dumps(value, indent=by, sort_keys=True, ensure_ascii=ascii_only)
    assert expected == indented(value, by=by, ascii_only=ascii_only)


def test_no_cycle_is_left() -> None:
    """What was made for the text is gone with it."""
    sweep()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(100):
            indented({"inputs": ["a", "b"], "chain": []}, by=1)
        assert len(gc.get_objects()) - before < 50
    finally:
        gc.enable()
