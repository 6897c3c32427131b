"""Globs at random over names at random: a match, none, or a sentence; and soon."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.glob.matcher import Glob, GlobError, expand
from tests.fuzz import runs

_SIGNS = st.text(alphabet="ab./*?[]!-^{},()@+|\\$1\n\0é\udcff", max_size=40)
_NAMES = st.lists(st.text(alphabet="ab./-é\udcff\n", min_size=1, max_size=30), max_size=8)


@runs(400)
@given(_SIGNS, _NAMES, st.text(alphabet="$1{}x9\\0", max_size=12))
def test_every_glob_answers(pattern: str, names: list[str], template: str) -> None:
    """What is accepted matches or not, without an exception, and its captures fill any template."""
    try:
        glob = Glob(pattern)
    except GlobError:
        return
    for name in names:
        found = glob.match("/" + name)
        if found is not None:
            expand(template, found)
