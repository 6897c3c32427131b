"""Every shell block of every page is run by a test, word for word, or has a reason."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.docs.page import NOT_RUN, blocks, pages


def _followed() -> set[str]:
    """Pages that tests beside this one follow."""
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "follow":
                found.add(ast.literal_eval(node.args[0]))
    return found


def test_each_block_says_what_it_is() -> None:
    """Shell has ``sh``, so that no block is left out because it has no language."""
    found = [f"{b.page}:{b.line}" for page in pages() for b in blocks(page) if not b.language]
    assert [] == found


def test_each_page_with_shell_is_followed_by_a_test() -> None:
    """:func:`~tests.docs.page.follow` runs all shell blocks of a page."""
    shell = [block for page in pages() for block in blocks(page) if block.language == "sh"]
    assert {block.page for block in shell if block.name not in NOT_RUN} == _followed()


def test_what_is_not_run_is_on_a_page() -> None:
    """No reason outlives its block."""
    assert set(NOT_RUN) <= {block.name for page in pages() for block in blocks(page)}
