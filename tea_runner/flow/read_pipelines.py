"""Reads the pipeline files of a commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tea_runner.core.datums.content_identity import SMALL_BLOB, pointer_key
from tea_runner.core.git.tree import LINK, SUBMODULE, TREE, TreeEntry, check_depth
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.common_output_branch import wanted_branches
from tea_runner.core.results.reserved_names import CODE_FOLDER, is_code, reserved_part
from tea_runner.core.spec.parse import ParsedSpecs, Problem, parse_specs
from tea_runner.core.spec.pipeline_file_names import IGNORE_NAME, SPEC_NAMES, is_pipeline_text
from tea_runner.core.spec.resource_allowance import refused_resources
from tea_runner.core.spec.source_position import locate
from tea_runner.flow.commit_tree import CommitTree
from tea_runner.flow.pipeline_set import PipelineSet
from tea_runner.flow.planning_cache import SpecFiles


def read_pipelines(tree: CommitTree) -> PipelineSet:
    """The pipelines of a commit: the same object as long as no pipeline file changes."""
    files = _spec_files(tree, tree.root)
    known = tree.cache.pipelines
    if known is None or known[0] != files:
        parsed = [_parse_file(tree, path, entry) for path, entry in files]
        written = [pipeline for each in parsed for pipeline in each.pipelines]
        refused = _refused_homes(written)
        placed = [pipeline for pipeline in written if pipeline.home not in refused]
        larger = {pipeline: _refused_resources(tree, pipeline) for pipeline in placed}
        problems = [problem for each in (*parsed, *refused.values()) for problem in each.problems]
        problems += _different_output_branches(placed)
        pipelines = PipelineSet(
            [pipeline for pipeline in placed if not larger[pipeline]],
            [*problems, *(problem for each in larger.values() for problem in each)],
        )
        known = tree.cache.pipelines = (files, pipelines)
    return known[1]


def _refused_homes(written: Iterable[Pipeline]) -> dict[str, ParsedSpecs]:
    """Folders that pipelines may not publish into, with the problems.

    Of two pipelines of one folder each would replace the manifest of the other, without end.
    """
    by_home: dict[str, list[Pipeline]] = {}
    for pipeline in written:
        by_home.setdefault(pipeline.home, []).append(pipeline)
    found = {}
    for home, together in by_home.items():
        pipelines = sorted(together, key=lambda each: each.spec_path)
        if len({pipeline.spec_path for pipeline in pipelines}) > 1:
            names = " and ".join(f"{each.name} ({each.spec_path})" for each in pipelines)
            text = f"pipelines {names} would publish into one folder, {home or 'the top'}"
            hint = "keep one pipeline file in a folder"
        elif part := CODE_FOLDER if is_code(home) else reserved_part(home):
            text = f"pipeline {pipelines[0].name} would publish into {home}"
            hint = f"{part} has a special meaning for tea-runner, git or a forge; choose another folder"
        else:
            continue
        problems = (
            Problem.error(each.spec_path, text, hint, line=each.spec_line) for each in pipelines
        )
        found[home] = ParsedSpecs(pipelines=(), problems=tuple(problems))
    return found


def _different_output_branches(pipelines: Sequence[Pipeline]) -> Iterator[Problem]:
    """Branches for results that have no effect, because other pipelines name none or another one."""
    names = [name or "none" for name in wanted_branches(pipelines)]
    for each in pipelines if len(names) > 1 else ():
        if wanted_branches([each]) != ("",):
            yield Problem(
                kind="ignored",
                file=each.spec_path,
                line=each.spec_line,
                key="output_branch",
                message="output_branch has no effect: the pipelines name different ones "
                f"({', '.join(sorted(names))})",
                hint="results are on the pushed branch; name one in all pipelines",
                pipeline=each.name,
            )


def _refused_resources(tree: CommitTree, pipeline: Pipeline) -> tuple[Problem, ...]:
    """Where a pipeline asks for more than the operator allows."""
    refused = tuple(refused_resources(pipeline, tree.cache.allowed))
    data = (tree.blob_at(pipeline.spec_path) or b"") if refused else b""
    problems = []
    for each in refused:
        mark = locate(data, pipeline.spec_document, each.key)
        problems.append(
            Problem.error(
                pipeline.spec_path,
                f"pipeline {pipeline.name} asks for {each.asked}, and {each.allowed} is allowed",
                f"ask for less, or ask the operator to raise {each.setting}",
                line=mark.line,
                column=mark.column,
                key=each.key,
            )
        )
    return tuple(problems)


def _spec_files(tree: CommitTree, oid: str, place: str = "", depth: int = 0) -> SpecFiles:
    """The pipeline files below one directory of the tree.

    :param place: path of the directory, for an error.
    :raises Refused: when it is too deep.
    """
    check_depth(depth, place)
    cache = tree.cache.spec_files
    known = cache.get(oid)
    if known is None:
        found: list[tuple[str, TreeEntry]] = []
        entries = tree.objects.tree(oid)
        if IGNORE_NAME in entries:
            return cache.setdefault(oid, ())
        children = (entry.oid for entry in entries.values() if entry.mode == TREE)
        tree.objects.read_trees(child for child in children if child not in cache)
        for name, entry in entries.items():
            if entry.mode == TREE and not name.startswith(".git"):
                below = _spec_files(tree, entry.oid, f"{place}{name}/", depth + 1)
                found += ((f"{name}/{path}", each) for path, each in below)
            elif name in SPEC_NAMES and entry.mode != TREE:
                found.append((name, entry))
        known = cache[oid] = tuple(found)
    return known


def _parse_file(tree: CommitTree, path: str, entry: TreeEntry) -> ParsedSpecs:
    known = tree.cache.specs.get((path, entry))
    if known is None:
        data = tree.objects.blob(entry.oid) if entry.mode != SUBMODULE else None
        known = tree.cache.specs[path, entry] = _parse(path, entry, data)
    return known


def _left_out(path: str, why: str) -> ParsedSpecs:
    """What is told of a file that seems to be of another program."""
    problem = Problem(
        kind="warning",
        file=path,
        message=f"no pipeline file, left out: {why}",
        hint=f"a file {IGNORE_NAME} in a folder hides it from the search for pipeline files",
    )
    return ParsedSpecs(pipelines=(), problems=(problem,))


def _parse(path: str, entry: TreeEntry, data: bytes | None) -> ParsedSpecs:
    if path.endswith(".json") and (
        data is None or entry.mode == LINK or pointer_key(entry.mode, data)
    ):
        # Data of other programs; people write pipelines in YAML, or see this remark.
        return _left_out(path, "it is not in git as a plain file")
    if data is not None and pointer_key(entry.mode, data):
        # The usual mistake: a dataset that was created without rules for annex.largefiles.
        text = "the pipeline file is annexed; it has to be kept in git"
        rule = "**/" + path.rpartition("/")[2] + " annex.largefiles=nothing"
        hint = (
            f"echo '{rule}' >> .gitattributes && git annex unannex {path} && "
            f"datalad save -m 'pipeline files in git'"
        )
        return ParsedSpecs(pipelines=(), problems=(Problem.error(path, text, hint),))
    if data is None or entry.mode == LINK:
        text = f"a pipeline file must be a plain file in git of less than {SMALL_BLOB // 1024} KiB"
        return ParsedSpecs(pipelines=(), problems=(Problem.error(path, text),))
    if not is_pipeline_text(data):
        return _left_out(path, "it has neither pipeline nor transform")
    return parse_specs(path, data, entry.oid)
