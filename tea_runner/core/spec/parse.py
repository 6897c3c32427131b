"""Parse pipeline files into pipelines, with every problem's line and column.

This is the only parser of pipeline files, so the planner, ``lint`` and the pages report the same.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Literal, cast

from tea_runner.core.pipeline import (
    Combined,
    Cron,
    Input,
    InputTrigger,
    Pfs,
    Pipeline,
    Resources,
    SecretReference,
    Transform,
    View,
)
from tea_runner.core.spec.document_checks import check_document, check_file
from tea_runner.core.spec.early_pachyderm_fields import (
    INPUTS,
    rewrite_early_fields,
    uses_former_inputs,
)
from tea_runner.core.spec.field_reader import ParsedMapping, SpecReader
from tea_runner.core.spec.fields import TOP
from tea_runner.core.spec.input_checks import default_name
from tea_runner.core.spec.input_fields import INPUT
from tea_runner.core.spec.label_and_gpu_names import class_priority, worker_labels
from tea_runner.core.spec.problem import Kind, Problem
from tea_runner.core.spec.variable_checks import make_variable
from tea_runner.core.spec.yaml_nodes import Document, MappingNode, read_documents

__all__ = ["ParsedSpecs", "Problem", "parse_specs"]

_KINDS = tuple(field.name for field in INPUT)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedSpecs:
    """The pipelines of a file without errors, and all problems."""

    pipelines: tuple[Pipeline, ...]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems because of which a pipeline does not run."""
        return tuple(problem for problem in self.problems if problem.is_error)


def parse_specs(path: str, data: bytes, blob: str = "") -> ParsedSpecs:
    """Parse a pipeline file; problems are in the order of their lines.

    :param path: of the file in the dataset.
    :param blob: id of the file's git blob, kept for records.
    """
    reader = SpecReader(path)
    found = read_documents(data)
    for problem in found.problems:
        kind: Kind = "warning" if problem.is_harmless else "error"
        reader.report(kind, problem.mark, problem.key, problem.message, problem.hint)
    broken = any(not problem.is_harmless for problem in found.problems)
    many = len(found.documents) > 1
    pipelines = []
    for number, document in enumerate(found.documents):
        before = len(reader.problems)
        root = rewrite_early_fields(document.root)
        if uses_former_inputs(document.root, root):
            reader.report(
                "deprecation",
                root.mark,
                INPUTS,
                "inputs is an older name of input",
                "write input: {pfs: {repo: NAME, glob: /*}}, and several in cross",
            )
        filled = reader.read_mapping(root, TOP)
        if isinstance(document.root, MappingNode):
            check_document(reader, filled)
        reader.end_document(before, _name(filled))
        if any(problem.is_error for problem in reader.problems[before:]) or broken:
            continue
        home = posixpath.dirname(path)
        if many:
            home = posixpath.join(home, _name(filled))
        pipelines.append(_pipeline(filled, document, path, blob, number, home))
    pipelines = check_file(reader, found.documents, pipelines, broken=broken)
    problems = sorted(reader.problems, key=lambda problem: (problem.line, problem.column))
    return ParsedSpecs(pipelines=tuple(pipelines), problems=tuple(dict.fromkeys(problems)))


def _name(filled: ParsedMapping) -> str:
    return filled.mapping("pipeline").text("name")


def _pipeline(
    filled: ParsedMapping, document: Document, path: str, blob: str, number: int, home: str
) -> Pipeline:
    sets = filled.mapping("datum_set_spec")
    output = filled.mapping("output")
    return Pipeline(
        name=_name(filled),
        home=home,
        spec_path=path,
        spec_blob=blob,
        spec_document=number,
        spec_line=document.mark.line,
        description=filled.text("description"),
        transform=_transform(filled.mapping("transform")),
        input=_input(filled.mapping("input")),
        view=cast(View, filled.text("view", "pfs")),
        outputs=filled.texts("outputs"),
        output_path=output.text("path") if "path" in output.values else None,
        on_failure=cast(Literal["fail", "publish"], filled.text("on_failure", "fail")),
        datum_tries=filled.integer("datum_tries") or 3,
        datum_timeout=filled.number("datum_timeout"),
        job_timeout=filled.number("job_timeout"),
        datum_set_number=sets.integer("number") or None,
        datum_set_bytes=sets.integer("size_bytes") or None,
        parallelism=filled.mapping("parallelism_spec").integer("constant") or None,
        needs_all_triggers=filled.text("triggers", "any") == "all",
        priority=filled.integer("priority") or class_priority(filled),
        reprocess=cast(
            Literal["until_success", "every_job"], filled.text("reprocess_spec", "until_success")
        ),
        salt=filled.text("salt"),
        output_branch=filled.text("output_branch"),
        requests=_resources(filled.mapping("resource_requests")),
        limits=_resources(filled.mapping("resource_limits")),
        worker_labels=worker_labels(filled),
        variables=tuple(make_variable(each) for each in filled.mappings("vars")),
    )


def _transform(filled: ParsedMapping) -> Transform:
    env = filled.values.get("env", {})
    assert isinstance(env, dict)
    codes = cast(tuple[int, ...], filled.values.get("accept_return_code", ()))
    return Transform(
        cmd=filled.texts("cmd"),
        stdin=filled.texts("stdin"),
        err_cmd=filled.texts("err_cmd"),
        err_stdin=filled.texts("err_stdin"),
        accept_return_code=codes,
        env=tuple(sorted(env.items())),
        working_dir=filled.text("working_dir"),
        user=filled.text("user"),
        image=filled.text("image"),
        code=filled.texts("code") if "code" in filled.values else None,
        secrets=tuple(
            SecretReference(
                name=secret.text("name"),
                key=secret.text("key"),
                mount_path=secret.text("mount_path"),
                env_var=secret.text("env_var"),
            )
            for secret in filled.mappings("secrets")
        ),
        network=filled.flag("network"),
    )


def _resources(filled: ParsedMapping) -> Resources:
    gpu = filled.mapping("gpu")
    return Resources(
        cpu=filled.number("cpu") or None,
        memory=filled.integer("memory") or None,
        disk=filled.integer("disk") or None,
        gpu_type=gpu.text("type"),
        gpu_number=gpu.integer("number") or 0,
    )


def _input(filled: ParsedMapping) -> Input:
    kind = next(name for name in _KINDS if name in filled.values)
    if kind == "pfs":
        return _pfs(filled.mapping("pfs"))
    if kind == "cron":
        cron = filled.mapping("cron")
        return Cron(
            name=cron.text("name"),
            spec=cron.text("spec"),
            repo=cron.text("repo"),
            start=cron.text("start"),
            overwrite=cron.flag("overwrite"),
            catch_up=cast(Literal["once", "all"], cron.text("catch_up", "once")),
        )
    return Combined(
        kind=cast(Literal["cross", "union", "join", "group"], kind),
        inputs=tuple(_input(child) for child in filled.mappings(kind)),
    )


def _pfs(filled: ParsedMapping) -> Pfs:
    repo = filled.text("repo")
    return Pfs(
        name=filled.text("name") or default_name(repo),
        repo="/".join(part for part in repo.split("/") if part not in ("", ".")) or ".",
        is_path=repo.startswith("./"),
        branch=filled.text("branch") or "master",
        glob=filled.text("glob"),
        join_on=filled.text("join_on"),
        outer_join=filled.flag("outer_join"),
        group_by=filled.text("group_by"),
        empty_files=filled.flag("empty_files"),
        track=filled.flag("track"),
        propagation_never=filled.mapping("propagation_spec").flag("never"),
        trigger=_trigger(filled.mapping("trigger")) if "trigger" in filled.values else None,
    )


def _trigger(filled: ParsedMapping) -> InputTrigger:
    return InputTrigger(
        commits=filled.integer("commits") or 0,
        size=filled.integer("size") or 0,
        cron_spec=filled.text("cron_spec"),
        rate_limit_spec=filled.text("rate_limit_spec"),
        all=filled.flag("all"),
        debounce=filled.number("debounce") or 0.0,
    )
