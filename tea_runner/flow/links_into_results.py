"""Links that lead into results of a pipeline: nothing waits for those unless they are read as an input."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tea_runner.core.git.tree import TREE
from tea_runner.core.pipeline import Pipeline
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.follow_links import within
from tea_runner.flow.read_manifest import read_manifest


def links_into_results(tip: CommitReader, pipeline: Pipeline, ways: Iterable[Sequence[str]]) -> str:
    """Why a pipeline may not read what links lead to; empty if it may.

    Results of pipelines that it reads, directly or through others, are settled when it is planned.

    :param ways: of each link, see :attr:`~tea_runner.core.datums.file_fact.LinkedFile.through`.
    """
    #: By home: each path there, with the link that leads to it.
    by_home: dict[str, dict[str, str]] = {}
    homes = {each.home for each in tip.pipelines.written}
    for way in ways:
        for path in way:
            for home in _above(path) & homes:
                by_home.setdefault(home, {}).setdefault(path, way[0])
    if not by_home:
        return ""
    settled = {each.home for each in _upstream(tip, pipeline)} - {pipeline.home}
    for home, paths in by_home.items():
        results = _results(tip, home, paths) if home not in settled else []
        if results:
            name = next(each.name for each in tip.pipelines.written if each.home == home)
            link = f"{paths[results[0]]} is a link to {results[0]}"
            if home == pipeline.home:
                return f"{link}, where results of {name} itself are"
            return (
                f"{link}, where results of pipeline {name} are, and {pipeline.name} does not wait "
                f"for those: name {name} as an input"
            )
    return ""


def _above(path: str) -> set[str]:
    """The folders that a path is in, and itself."""
    parts = path.split("/")
    return {"/".join(parts[:count]) for count in range(len(parts) + 1)}


def _upstream(tip: CommitReader, pipeline: Pipeline) -> Collection[Pipeline]:
    """All pipelines whose results a pipeline reads, directly or through others."""
    found: dict[str, Pipeline] = {}
    todo = [pipeline]
    while todo:
        for other in tip.pipelines.upstream(todo.pop()):
            if other.name not in found:
                found[other.name] = other
                todo.append(other)
    return found.values()


def _results(tip: CommitReader, home: str, paths: Iterable[str]) -> list[str]:
    """Those of the paths that are results of a pipeline, or would be when they exist."""
    manifest = read_manifest(tip.tree, home)
    base = f"{home}/" if home else ""
    found = []
    for path in paths:
        rest, entry = path[len(base) :], tip.tree.entry(path)
        if entry is None:
            is_result = bool(home)
        elif entry.mode == TREE:
            is_result = bool(home) and path == home
            is_result = is_result or any(within(each, rest) for each in manifest.paths)
        else:
            is_result = bool(manifest.owned([rest]))
        if is_result:
            found.append(path)
    return found
