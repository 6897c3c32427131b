"""Checks that results have names that are distinct on every system, with what stays beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tea_runner.core.git.tree import TREE, TreeEntry
from tea_runner.core.results.compose_commit import Changes, FinishedDatum
from tea_runner.core.results.folded_names import require_distinct_names
from tea_runner.core.results.output_owners import join
from tea_runner.flow.commit_reader import CommitReader


def check_distinct_names(
    tip: CommitReader, home: str, finished: Sequence[FinishedDatum], rest: Changes
) -> None:
    """Check the outputs of these datums against one another and against the pipeline's home.

    :param rest: changes of the results commit besides the outputs.
    :raises OutputRefused: when two names collide on systems that ignore case or Unicode form.
    """
    outputs = {path: item.label for item in finished for path in item.paths}
    deleted = {path for path, put in rest.items() if put is None}

    def names_in(directory: str) -> Iterable[str]:
        path = "/".join(part for part in (home, directory) if part)
        entry = tip.tree.entry(path) if path else TreeEntry(TREE, tip.tree.root)
        return tip.tree.objects.tree(entry.oid) if entry and entry.mode == TREE else ()

    def remains(path: str) -> bool:
        full = join(home, path)
        entry = tip.tree.entry(full)
        below = tip.tree.files_below(full) if entry and entry.mode == TREE else (full,)
        return any(file not in deleted for file in below)

    require_distinct_names(outputs, names_in, remains)
