"""The list of reserved names, and the page of the reference that is made from it.

To update the page after a change of the list:
    python -c "from pathlib import Path; from tea_runner.core.results import reserved_names as names
Path('docs/reference/reserved-names.md').write_text(names.reserved_names_reference(), 'utf-8')"
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tea_runner.core.results.reserved_names import (
    GROUPS,
    is_reserved,
    reserved_names_reference,
    reserved_part,
)

_PAGE = Path(__file__).parents[3] / "docs" / "reference" / "reserved-names.md"


def test_the_page_of_reserved_names_is_current() -> None:
    """The page has what the list has."""
    assert reserved_names_reference() == _PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    "name",
    [name for group in GROUPS for name in (*group.names, *(f"{p}x" for p in group.prefixes))],
)
def test_every_name_of_the_list_is_reserved(name: str) -> None:
    """Whatever its case; the list itself is in the form in which names are compared."""
    assert (True, True, name) == (is_reserved(name), is_reserved(name.upper()), name.casefold())


def test_the_first_reserved_part_of_a_path_is_named() -> None:
    """As it is written there."""
    assert ".Gitea" == reserved_part("a/.Gitea/manifest.tsv")
    assert "" == reserved_part("a/gitea/manifests.tsv")
