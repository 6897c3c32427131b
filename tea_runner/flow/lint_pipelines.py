"""Lint pipeline files: what keeps pipelines from running, and what is probably not meant.

Parser and input functions are those of the planner, so that the server refuses the same files with
the same words.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import replace

from tea_runner.core.errors import SpecError, TeaError
from tea_runner.core.git.tree import SUBMODULE, walk_tree
from tea_runner.core.pipeline import Pipeline, pfs_leaves
from tea_runner.core.planning.dependency_order import Cycle, order
from tea_runner.core.spec.problem import Kind, Problem
from tea_runner.core.spec.source_position import input_keys, locate
from tea_runner.core.spec.unmet_needs import unmet_needs
from tea_runner.flow.ambiguous_input import refuse_ambiguous, refuse_foreign_home
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.input_location import locate_input
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.resolve_image import UnavailableImage, resolve_image
from tea_runner.flow.unreferenced_code import unnamed_code
from tea_runner.flow.why_no_datums import why_no_datums

#: A word of a command that looks like a script of the dataset.
_SCRIPT = re.compile(r"(?!/)[\w./-]+\.(?:py|sh|bash|R|r|m|pl|jl|rb|js|lua)")


def lint_pipelines(tip: CommitReader) -> tuple[Problem, ...]:
    """All problems, sorted by file and line."""
    found = [*tip.pipelines.problems, *_duplicate_names(tip), *_cycles(tip)]
    offer = tip.tree.cache.offer
    for pipeline in tip.pipelines:
        found += _inputs(tip, pipeline)
        for need in unmet_needs(pipeline, offer) if offer is not None else ():
            found.append(_problem(tip, pipeline, need.key, need.problem, need.hint, kind="warning"))
    unique = dict.fromkeys(found)
    return tuple(sorted(unique, key=lambda each: (each.file, each.line, each.column)))


def _problem(
    tip: CommitReader,
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


def _duplicate_names(tip: CommitReader) -> Iterator[Problem]:
    """Pipelines of one name in two files (the parser reports those in one file)."""
    first: dict[str, Pipeline] = {}
    for pipeline in tip.pipelines.written:
        other = first.setdefault(pipeline.name, pipeline)
        if other is not pipeline and other.spec_path != pipeline.spec_path:
            text = f"two pipelines are called {pipeline.name}; the other is in {other.spec_path}"
            yield _problem(tip, pipeline, "pipeline.name", text, "give each a name of its own")


def _cycles(tip: CommitReader) -> Iterator[Problem]:
    """Pipelines that read their own results, alone or through others."""
    by_name = {pipeline.name: pipeline for pipeline in tip.pipelines}
    upstream: dict[str, list[str]] = {}
    for pipeline in tip.pipelines:
        keys = input_keys(pipeline.input)
        for leaf, key in zip(pfs_leaves(pipeline.input), keys, strict=True):
            other = tip.pipelines.source_of(leaf)
            if other is None:
                continue
            if other is pipeline:
                yield _problem(
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
            yield _problem(tip, by_name[reader], "input", cycle.problem, cycle.hint)
            upstream[reader].remove(read)
        else:
            return


def _inputs(tip: CommitReader, pipeline: Pipeline) -> Iterator[Problem]:
    """Inputs that are missing, have no hash or make no datums; scripts that the command cannot see."""
    try:
        pipeline = resolve_image(tip, pipeline)
    except UnavailableImage as error:
        key = "transform.image"
        yield _problem(
            tip, pipeline, key, error.problem, "it is asked again by each plan", "warning"
        )
        # Everything else can be looked at with any image.
        pinned = replace(pipeline.transform, image=f"sha256:{'0' * 64}")
        pipeline = replace(pipeline, transform=pinned)
    except SpecError as error:
        yield _problem(tip, pipeline, error.key, error.problem, error.hint)
        return
    leaves = pfs_leaves(pipeline.input)
    missing = False
    try:
        refuse_foreign_home(tip, pipeline)
    except SpecError as error:
        yield _problem(tip, pipeline, "pipeline.name", error.problem, error.hint)
        return
    for leaf, key in zip(leaves, input_keys(pipeline.input), strict=True):
        other = tip.pipelines.source_of(leaf)
        try:
            if other is not None:
                refuse_ambiguous(tip, pipeline, leaf, other)
                continue
            if locate_input(tip, pipeline, leaf).is_gone:
                text = f"{leaf.repo} is no longer in this dataset: the input is empty"
                hint = f"if it is to be so, keep the folder with a file {leaf.place}/.gitkeep"
                yield _problem(tip, pipeline, f"{key}.repo", text, hint, "warning")
        except TeaError as error:
            missing = True
            yield _problem(tip, pipeline, f"{key}.repo", error.problem, error.hint)
    if missing:
        return
    try:
        inputs = derive_inputs(tip, pipeline)
    except TeaError as error:
        key = error.key if isinstance(error, SpecError) else ""
        yield _problem(tip, pipeline, key or "input", error.problem, error.hint)
        return
    problems = [text for source in inputs.sources for text in source.links.problems.values()]
    for problem in dict.fromkeys(problems):
        text = "let the link lead to a file of this dataset, with a relative path, or remove it"
        yield _problem(tip, pipeline, "input", problem, text)
    for problem in inputs.left_out:
        text = "commands do not see it; let the link lead to a file of this dataset"
        yield _problem(tip, pipeline, "transform", problem, text, "warning")
    yield from _scripts(tip, inputs)
    for path in unnamed_code(tip, inputs):
        text = (
            f"{len(inputs.datums)} datums run again when {path} changes, "
            "and neither the command nor other code names it"
        )
        hint = f'if the command does not read it, write transform.code: ["!/{path}"]'
        yield _problem(tip, pipeline, "transform", text, hint, "warning")
    for reason in why_no_datums(tip, inputs):
        yield _problem(tip, pipeline, reason.key, reason.problem, reason.hint, "warning")


def _exists(tip: CommitReader, path: str) -> bool:
    """Whether the dataset, or a subdataset that can be read, has a file at a path."""
    try:
        at, rest = tip.resolve(path)
    except TeaError:
        return False
    return at.tree.entry(rest) is not None


def _scripts(tip: CommitReader, inputs: PipelineInputs) -> Iterator[Problem]:
    """Words of the command that look like scripts but name no file that it can see."""
    pipeline = inputs.pipeline
    if pipeline.transform.image or pipeline.transform.working_dir:
        return
    shown = (
        {shown.visible for datum in inputs.datums[:1] for shown in inputs.view(datum).files}
        if pipeline.view == "dataset"
        else set()
    )
    for number, word in enumerate(pipeline.transform.cmd):
        path = word.removeprefix("./")
        if not _SCRIPT.fullmatch(word) or path in inputs.code or path in shown:
            continue
        key = f"transform.cmd[{number}]"
        if _exists(tip, path):
            yield _problem(
                tip,
                pipeline,
                key,
                f"the command does not see {word}",
                f'write transform.code: ["/{path}"], or move it beside {pipeline.spec_path}',
                "warning",
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
        yield _problem(tip, pipeline, key, text, hint, "warning")
