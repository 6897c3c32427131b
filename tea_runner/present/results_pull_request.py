"""Title and text of the pull request that proposes results: a table of datums, and pictures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.results.results_pull_request_digest import (
    ProposedDatum,
    ProposedOutput,
    proposal_digest,
)
from tea_runner.present.human_units import size
from tea_runner.present.markdown_text import markdown_code

#: Datums in the table, files of each, and pictures.
_ROWS, _FILES, _PICTURES = 50, 3, 12
_PICTURE = re.compile(r"(?i)\.(?:png|jpe?g|gif|webp|svg)$")
_MARKER = re.compile(r"<!-- tea-runner: results ([0-9a-f]{16}) -->")
#: URL of a file's page, or of its content where the second value says so; empty for none.
FileLink = Callable[[str, bool], str]


def proposal_title(commit: str, datums: Sequence[ProposedDatum]) -> str:
    """Numbers and the commit; no name of a stranger."""
    numbers = Counter(datum.change for datum in datums)
    words = ", ".join(
        f"{numbers[word]} {word}" for word in ("new", "changed", "removed") if numbers[word]
    )
    return f"Results of {commit[:12]}: {words}"


def proposed_digest(text: str) -> str:
    """The digest of the results that a pull request's text is about; empty for any other text."""
    found = _MARKER.match(text.lstrip())
    return found[1] if found else ""


def proposal_text(
    commit: str, datums: Sequence[ProposedDatum], link: FileLink, *, run: str, branch: str
) -> str:
    """The text, which begins with the digest of the results.

    :param commit: the pushed commit that they are of.
    :param run: URL of the run's page.
    :param branch: the branch that they are proposed for.
    """
    return "\n".join(
        [*_head(commit, datums, run, branch), *_table(datums, link), *_pictures(datums, link), ""]
    )


def _head(commit: str, datums: Sequence[ProposedDatum], run: str, branch: str) -> Iterator[str]:
    yield f"<!-- tea-runner: results {proposal_digest(datums)} -->"
    yield f"Results of {commit} for {markdown_code(branch)} ([run]({run}))."
    yield "Merging publishes them; nothing is computed again."
    yield "Closing declines them: the same results are not proposed again."
    yield ""


def _table(datums: Sequence[ProposedDatum], link: FileLink) -> Iterator[str]:
    yield from ("| pipeline | datum | | results |", "| --- | --- | --- | --- |")
    for datum in datums[:_ROWS]:
        name, label = markdown_code(datum.pipeline), markdown_code(shown_label(datum.datum))
        yield f"| {name} | {label} | {datum.change} | {_files(datum.outputs, link)} |"
    if len(datums) > _ROWS:
        yield f"| and {len(datums) - _ROWS:,} more | | | |"


def _files(outputs: Sequence[ProposedOutput], link: FileLink) -> str:
    shown = [f"{_link(each, link)} {size(each.size)}" for each in outputs[:_FILES]]
    rest = len(outputs) - _FILES
    return ", ".join([*shown, *([f"{rest} more"] if rest > 0 else [])])


def _link(output: ProposedOutput, link: FileLink) -> str:
    name, url = markdown_code(output.path), link(output.path, False)
    return f"[{name}]({url})" if url else name


def _pictures(datums: Sequence[ProposedDatum], link: FileLink) -> Iterator[str]:
    """Pictures that git holds; a forge without git-annex shows no others."""
    found = [
        output
        for datum in datums
        for output in datum.outputs
        if output.in_git and _PICTURE.search(output.path)
    ]
    for output in found[:_PICTURES]:
        url = link(output.path, True)
        if url:
            yield from ("", f"{_link(output, link)}", "", f"![]({url})")
