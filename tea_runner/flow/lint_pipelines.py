"""A tip in, everything that keeps its pipelines from running, or is probably not meant, out.

What stops here stops at the server with the same words: files are read by the same parser, inputs
by the same function as the planner's.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import replace

from tea_runner.core.errors import SpecError, TeaError
from tea_runner.core.git.tree import SUBMODULE, TREE, walk_tree
from tea_runner.core.pipeline import Pipeline, pfs_leaves
from tea_runner.core.planning.dependency_order import Cycle, order
from tea_runner.core.spec.locate import input_keys, locate
from tea_runner.core.spec.problem import Kind, Problem
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.pipeline_inputs import PipelineInputs, derive_inputs

#: A word of a command that looks like a script of the dataset.
_SCRIPT = re.compile(r"(?!/)[\w./-]+\.(?:py|sh|bash|R|r|m|pl|jl|rb|js|lua)")


def lint_pipelines(tip: CommitView) -> tuple[Problem, ...]:
    """All problems, sorted by file and line."""
    found = [*tip.pipelines.problems, *_twins(tip), *_circles(tip)]
    for pipeline in tip.pipelines:
        found += _inputs(tip, pipeline)
    unique = dict.fromkeys(found)
    return tuple(sorted(unique, key=lambda each: (each.file, each.line, each.column)))


def _say(
    tip: CommitView,
    pipeline: Pipeline,
    key: str,
    message: str,
    hint: str = "",
    kind: Kind = "error",
) -> Problem:
    data = tip.tree.blob_at(pipeline.spec_path) or b""
    mark = locate(data, pipeline.spec_document, key)
    return Problem(
        kind=kind,
        file=pipeline.spec_path,
        line=mark.line,
        column=mark.column,
        key=key,
        message=message,
        hint=hint,
    )


def _twins(tip: CommitView) -> Iterator[Problem]:
    """Two pipelines of one name in two files (in one file the parser has said so)."""
    first: dict[str, Pipeline] = {}
    for pipeline in tip.pipelines.written:
        other = first.setdefault(pipeline.name, pipeline)
        if other is not pipeline and other.spec_path != pipeline.spec_path:
            text = f"two pipelines are called {pipeline.name}; the other is in {other.spec_path}"
            yield _say(tip, pipeline, "pipeline.name", text, "give each a name of its own")


def _circles(tip: CommitView) -> Iterator[Problem]:
    """Every pipeline that reads its own results, and every circle of several."""
    by_name = {pipeline.name: pipeline for pipeline in tip.pipelines}
    upstream: dict[str, list[str]] = {}
    for pipeline in tip.pipelines:
        keys = input_keys(pipeline.input)
        for leaf, key in zip(pfs_leaves(pipeline.input), keys, strict=True):
            other = tip.pipelines.source_of(leaf)
            if other is None:
                continue
            if other is pipeline:
                yield _say(
                    tip,
                    pipeline,
                    f"{key}.repo",
                    f"pipeline {pipeline.name} would read its own results",
                    "name the folder or pipeline whose files it is to read",
                )
            elif other.name not in upstream.setdefault(pipeline.name, []):
                upstream[pipeline.name].append(other.name)
    while True:
        try:
            order(by_name, upstream)
        except Cycle as cycle:
            reader, read = cycle.names[0], cycle.names[-1]
            message, _, hint = cycle.message.partition("; ")
            yield _say(tip, by_name[reader], "input", message, hint)
            upstream[reader].remove(read)
        else:
            return


def _inputs(tip: CommitView, pipeline: Pipeline) -> Iterator[Problem]:
    """What the inputs name is there, has hashes, and makes datums; the command's scripts are seen."""
    leaves = pfs_leaves(pipeline.input)
    missing = False
    for leaf, key in zip(leaves, input_keys(pipeline.input), strict=True):
        place = "" if leaf.repo in (".", "/") else leaf.repo.strip("/")
        found = tip.tree.entry(place)
        if tip.pipelines.source_of(leaf) is None and (found is None or found.mode != TREE):
            missing = True
            text = _refusal(tip, replace(pipeline, input=leaf))
            message, _, hint = text.partition("; ")
            yield _say(tip, pipeline, f"{key}.repo", message, hint)
    if missing:
        return
    try:
        work = derive_inputs(tip, pipeline)
    except TeaError as error:
        text = error.problem if isinstance(error, SpecError) else error.message
        text = text.removeprefix(f"{pipeline.spec_path}: ")
        key = "output.path" if text.startswith("output.path: ") else "input"
        key = (error.key if isinstance(error, SpecError) else "") or key
        yield _say(tip, pipeline, key, text.removeprefix("output.path: "))
        return
    yield from _scripts(tip, work)
    if not work.datums:
        yield from _empty(tip, pipeline)


def _refusal(tip: CommitView, pipeline: Pipeline) -> str:
    """The words with which the planner would refuse it."""
    try:
        derive_inputs(tip, pipeline)
    except SpecError as error:
        return error.problem
    except TeaError as error:
        return error.message
    return "this input cannot be read"


def _empty(tip: CommitView, pipeline: Pipeline) -> Iterator[Problem]:
    """Which globs match nothing, where the pipeline has no datums at all."""
    leaves, said = pfs_leaves(pipeline.input), False
    for leaf, key in zip(leaves, input_keys(pipeline.input), strict=True):
        if tip.pipelines.source_of(leaf) is not None:
            said = True  # Its files are made later.
            continue
        alone = replace(pipeline, input=leaf, output_path=None)
        if not derive_inputs(tip, alone).datums:
            said = True
            text = f"{leaf.glob} matches nothing in {leaf.repo}"
            hint = "the pipeline has no datums; tea-runner datums lists them"
            yield _say(tip, pipeline, f"{key}.glob", text, hint, "bad habit")
    if not said:
        text = "the inputs have nothing in common: the pipeline has no datums"
        hint = "see what join_on gives for each file"
        yield _say(tip, pipeline, "input", text, hint, "bad habit")


def _scripts(tip: CommitView, work: PipelineInputs) -> Iterator[Problem]:
    """Words of the command that look like scripts which the command will not find."""
    pipeline = work.pipeline
    if pipeline.transform.image or pipeline.transform.working_dir:
        return
    shown = (
        {shown.path for datum in work.datums[:1] for shown in work.view(datum).files}
        if pipeline.view == "dataset"
        else set()
    )
    for number, word in enumerate(pipeline.transform.cmd):
        path = word.removeprefix("./")
        if not _SCRIPT.fullmatch(word) or path in work.code or path in shown:
            continue
        key = f"transform.cmd[{number}]"
        if tip.tree.entry(path) is not None:
            yield _say(
                tip,
                pipeline,
                key,
                f"the command does not see {word}",
                f'write transform.code: ["/{path}"], or move it beside {pipeline.spec_path}',
                "bad habit",
            )
            continue
        files = [
            path
            for path, entry in walk_tree(tip.tree.objects.tree, tip.tree.root)
            if entry.mode != SUBMODULE
        ]
        near = difflib.get_close_matches(path, files, 1, 0.7)
        hint = f"did you mean {near[0]}?" if near else "paths begin at the dataset's top"
        text = f"there is no file {word} in this dataset"
        yield _say(tip, pipeline, key, text, hint, "bad habit")
