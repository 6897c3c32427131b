"""Pipelines and datums as people type them: a datum may follow its pipeline, as ``datums`` prints both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tea_runner.core.datums.datum import is_label


def join_datum_words(words: Sequence[str], labels: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The words, with one word for each pipeline and the datum of it that follows.

    :param labels: names of pipelines to the labels of their datums.
    """
    joined: list[str] = []
    for word in words:
        before = joined[-1] if joined else ""
        if before in labels and any(is_label(word, label) for label in labels[before]):
            joined[-1] = f"{before} {word}"
        else:
            joined.append(word)
    return tuple(joined)
