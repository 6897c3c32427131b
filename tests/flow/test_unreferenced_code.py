"""Code files that nothing names: what counts as a name, and what the look for it costs."""

from __future__ import annotations

import time

import pytest

from tea_runner.flow.unreferenced_code import named_files


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("code/table.csv", "read('table.csv')", True),
        ("code/table.csv", "import table", True),
        ("code/table.csv", "tables", False),
        ("code/two-words.sh", "./two-words.sh", True),
        ("code/two-words.sh", "two and words", True),
        ("code/two-words.sh", "two", False),
        ("code/stan/model.stan", "folder = 'stan'", True),
        ("code/stan/model.stan", "code", False),
        ("code/größe.csv", "größe.csv", True),
        ("code/+++", "+++", True),
    ],
)
def test_a_file_is_named_by_its_name_or_a_folder_of_it(
    path: str, text: str, expected: bool
) -> None:
    """Whole words of another file; its own text does not count."""
    own = b"table two words stan model"
    found = named_files({path: own, "code/main.py": text.encode()})

    assert expected is (path in found)


def test_many_large_files_are_read_once() -> None:
    """Time does not grow with the product of both numbers."""
    texts = {f"code/f{number:03}.py": b"word %d " % number * 4000 for number in range(500)}
    began = time.process_time()

    assert set() == named_files(texts)
    assert time.process_time() - began < 4
