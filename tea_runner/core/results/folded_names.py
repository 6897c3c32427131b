"""Names of results that some systems hold for one: those that differ in case or Unicode form only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from tea_runner.core.errors import OutputRefused
from tea_runner.core.results.reserved_names import fold_name

_HINT = 'rename one, or ask the operator for outputs.names = "git"'


def require_distinct_names(
    outputs: Mapping[str, str],
    names_in: Callable[[str], Iterable[str]],
    remains: Callable[[str], bool],
) -> None:
    """Check that each name of an output is its own on every system, in its directory.

    Costs one listing of each directory that outputs go to or through.

    All paths are relative to the home of the pipeline.

    :param outputs: paths to the labels of the datums that wrote them.
    :param names_in: the names in a directory at the tip.
    :param remains: whether something stays at a path of the tip after the outputs are put there.
    :raises OutputRefused: with the first two names of a directory that collide.
    """
    for directory, labels in sorted(_by_directory(outputs).items()):
        first: dict[str, str] = {}
        for name, label in sorted(labels.items()):
            other = first.setdefault(fold_name(name), name)
            if other != name:
                raise _collision(directory, name, label, f"datum {labels[other]} wrote", other)
        for name in names_in(directory):
            written = first.get(fold_name(name), name)
            if written != name and name not in labels and remains(_join(directory, name)):
                raise _collision(directory, written, labels[written], "beside it is", name)


def _by_directory(outputs: Mapping[str, str]) -> Mapping[str, dict[str, str]]:
    """Each directory to the names that outputs have in it, with the first datum that wrote each."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for path, label in outputs.items():
        while path:
            directory, _, name = path.rpartition("/")
            if name in found[directory]:
                break
            found[directory][name] = label
            path = directory
    return found


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def _collision(directory: str, name: str, label: str, who: str, other: str) -> OutputRefused:
    return OutputRefused(
        f"datum {label} wrote {_join(directory, name)}, and {who} {_join(directory, other)}: these "
        f"names collide on some systems",
        hint=_HINT,
    )
