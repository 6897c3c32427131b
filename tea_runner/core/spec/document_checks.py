"""Checks of a pipeline file beyond the types of its fields; see ``input_checks`` for inputs."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from tea_runner.core.glob.matcher import Glob, GlobError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.spec.code_patterns import excludes
from tea_runner.core.spec.field_reader import ParsedMapping, SpecReader
from tea_runner.core.spec.forbidden_variables import variable_problem
from tea_runner.core.spec.image_reference import parse_image
from tea_runner.core.spec.input_checks import MAX_GLOBS, MAX_INPUTS, check_input, count_inputs
from tea_runner.core.spec.label_and_gpu_names import check_worker_names
from tea_runner.core.spec.variable_checks import check_variables
from tea_runner.core.spec.yaml_nodes import Document, Mark

MAX_TRIES = 100
#: Largest priority.
MAX_PRIORITY = 100

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
#: The name of a container of datalad-container; before it, the path of the subdataset that has it.
_CONTAINER = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,62}/){0,8}[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_BRANCH = re.compile(r"[A-Za-z0-9._/+=@][A-Za-z0-9._/+=@-]{0,199}")
#: Names that git, DataLad and forges reserve.
_RESERVED = frozenset(
    {
        ".git",
        ".gitmodules",
        ".gitattributes",
        ".gitignore",
        ".datalad",
        ".mailmap",
        ".lfsconfig",
        ".github",
        ".gitea",
        ".forgejo",
        ".gitlab-ci.yml",
        ".woodpecker",
        ".woodpecker.yml",
        ".drone.yml",
        ".pre-commit-config.yaml",
        ".envrc",
        ".devcontainer",
        "spec.yml",
        "spec.yaml",
        "spec.json",
    }
)
#: What ``datalad run`` replaces in a command.
_PLACEHOLDERS = frozenset({"inputs", "outputs", "pwd", "dspath", "tmpdir"})


def check_document(reader: SpecReader, mapping: ParsedMapping) -> None:
    """Check one pipeline."""
    _check_name(reader, mapping.mapping("pipeline"))
    inputs: set[str] = set()
    if "input" in mapping.values and _check_count(reader, mapping):
        inputs = set(check_input(reader, mapping.mapping("input")))
    check_variables(reader, mapping, inputs)
    _check_transform(reader, mapping.mapping("transform"))
    _check_outputs(reader, mapping)
    check_worker_names(reader, mapping)
    _check_numbers(reader, mapping)
    branch = mapping.text("output_branch")
    if branch and not _is_branch(branch):
        reader.report(
            "error",
            mapping.place("output_branch"),
            "output_branch",
            f"{branch[:40]!r} cannot be the branch of the results",
            "write a name such as results",
        )


def check_file(
    reader: SpecReader,
    documents: Sequence[Document],
    pipelines: Sequence[Pipeline],
    *,
    broken: bool,
) -> list[Pipeline]:
    """Check the documents of one file against each other; returns the pipelines without duplicates."""
    if not documents and not broken:
        reader.report(
            "error", Mark(1), "", "the file contains no pipeline", "write pipeline: name: …"
        )
    seen: dict[str, Pipeline] = {}
    for pipeline in pipelines:
        other = seen.setdefault(pipeline.name, pipeline)
        if other is not pipeline:
            reader.report(
                "error",
                Mark(pipeline.spec_line),
                "pipeline.name",
                f"two pipelines of this file have the name {pipeline.name}, the other in line "
                f"{other.spec_line}",
                "give each its own name",
            )
    return list(seen.values())


def _check_name(reader: SpecReader, mapping: ParsedMapping) -> None:
    name = mapping.text("name")
    if name and not _NAME.fullmatch(name):
        reader.report(
            "error",
            mapping.place("name"),
            mapping.key("name"),
            f"{name[:80]!r} is not a valid pipeline name",
            "write 1 to 63 of A-Z a-z 0-9 _ -, beginning and ending with a letter or digit",
        )
    elif not name and "name" in mapping.values:
        reader.report(
            "error", mapping.place("name"), mapping.key("name"), "name is empty", "write a name"
        )


def _check_transform(reader: SpecReader, mapping: ParsedMapping) -> None:
    _check_cmd(reader, mapping)
    env = mapping.values.get("env", {})
    assert isinstance(env, dict)
    for name in env:
        if problem := variable_problem(name):
            reader.report("error", mapping.place("env"), f"{mapping.key('env')}.{name}", problem)
    for secret in mapping.mappings("secrets"):
        variable = secret.text("env_var")
        if variable and (problem := variable_problem(variable)):
            reader.report("error", secret.place("env_var"), secret.key("env_var"), problem)
        if not variable and not secret.text("mount_path"):
            reader.report(
                "error",
                secret.mark,
                secret.path,
                "the secret is not used",
                "write mount_path, or env_var and key",
            )
    image = mapping.text("image")
    if image and parse_image(image) is None and not _CONTAINER.fullmatch(image):
        reader.report(
            "error",
            mapping.place("image"),
            mapping.key("image"),
            f"image {image[:80]!r} is not the name of an image",
            "write name:tag, name@sha256:…, or the name of a container of datalad-container",
        )
    codes = mapping.values.get("accept_return_code", ())
    assert isinstance(codes, tuple)
    for code in codes:
        if code > 255:
            reader.report(
                "error",
                mapping.place("accept_return_code"),
                mapping.key("accept_return_code"),
                f"expected an exit code from 0 to 255, got {code}",
            )
    for pattern in mapping.texts("code")[:MAX_GLOBS]:
        try:
            Glob(pattern[1:] if excludes(pattern) else pattern)
        except GlobError as error:
            reader.report("error", mapping.place("code"), mapping.key("code"), error.message)
    if mapping.texts("err_stdin") and not mapping.texts("err_cmd"):
        reader.report(
            "warning",
            mapping.place("err_stdin"),
            mapping.key("err_stdin"),
            "err_stdin has no effect without err_cmd",
            "write err_cmd, or remove it",
        )


def _check_cmd(reader: SpecReader, mapping: ParsedMapping) -> None:
    key = mapping.key("cmd")
    if "cmd" not in mapping.marks and not mapping.text("image") and "image" not in mapping.marks:
        reader.report(
            "error",
            mapping.mark,
            key,
            "cmd is missing",
            "add cmd: (the command as a list of words, without a shell)",
        )
    reported = any(problem.key.startswith(key) for problem in reader.problems)
    if "cmd" in mapping.marks and not any(mapping.texts("cmd")[:1]) and not reported:
        reader.report(
            "error",
            mapping.place("cmd"),
            key,
            "cmd is empty",
            'write the command word by word, such as ["sh", "script.sh"]',
        )


def _check_outputs(reader: SpecReader, mapping: ParsedMapping) -> None:
    dataset = mapping.text("view") == "dataset"
    output = mapping.mapping("output")
    if "path" in output.values:
        text = output.text("path")
        if dataset:
            reader.report(
                "error",
                output.place("path"),
                output.key("path"),
                "output.path needs view: pfs",
                "with view: dataset write outputs",
            )
        _check_output_path(reader, text, output.place("path"), output.key("path"))
    outputs = mapping.texts("outputs")
    if dataset and not outputs:
        reader.report(
            "error",
            mapping.place("outputs"),
            "outputs",
            "view: dataset needs outputs",
            'write outputs, such as ["results/$1.txt"]',
        )
    if outputs and not dataset:
        reader.report(
            "error",
            mapping.place("outputs"),
            "outputs",
            "outputs needs view: dataset",
            "with view: pfs everything below /pfs/out is kept",
        )
    for text in outputs:
        _check_output_path(reader, text, mapping.place("outputs"), "outputs")
    if dataset:
        _check_placeholders(reader, mapping.mapping("transform"))


def _check_output_path(reader: SpecReader, text: str, mark: Mark, key: str) -> None:
    parts = text.split("/")
    wrong = [part for part in parts if part in ("", ".", "..") or part.lower() in _RESERVED]
    if wrong or "\n" in text:
        reader.report(
            "error",
            mark,
            key,
            f"output path {text!r} is not allowed",
            "write a relative path below the pipeline's directory, such as $1",
        )


def _check_placeholders(reader: SpecReader, transform: ParsedMapping) -> None:
    for word in transform.texts("cmd"):
        try:
            fields = [name for _, name, _, _ in string.Formatter().parse(word) if name is not None]
        except ValueError as error:
            fields, problem = [], str(error)
        else:
            unknown = [
                f for f in fields if re.split(r"[.\[]", f, maxsplit=1)[0] not in _PLACEHOLDERS
            ]
            problem = f"unknown placeholder {{{unknown[0]}}}" if unknown else ""
        if problem:
            reader.report(
                "error",
                transform.place("cmd"),
                transform.key("cmd"),
                problem,
                f"valid are {', '.join(f'{{{name}}}' for name in sorted(_PLACEHOLDERS))}; "
                "write {{ and }} for braces",
            )


def _check_numbers(reader: SpecReader, mapping: ParsedMapping) -> None:
    tries = mapping.integer("datum_tries")
    # 0 is the default, as if the field were absent.
    if tries is not None and tries > MAX_TRIES:
        reader.report(
            "error",
            mapping.place("datum_tries"),
            "datum_tries",
            f"expected 1 to {MAX_TRIES} tries, got {tries}",
        )
    priority = mapping.integer("priority")
    if priority is not None and not 1 <= priority <= MAX_PRIORITY:
        reader.report(
            "error",
            mapping.place("priority"),
            "priority",
            f"expected 1 to {MAX_PRIORITY}, got {priority}",
        )
    sets = mapping.mapping("datum_set_spec")
    if "per_worker" in sets.marks and ("number" in sets.marks or "size_bytes" in sets.marks):
        reader.report(
            "error",
            sets.place("per_worker"),
            sets.key("per_worker"),
            "per_worker cannot be set with number or size_bytes",
            "remove it",
        )


def _check_count(reader: SpecReader, mapping: ParsedMapping) -> bool:
    """Whether the number of inputs and globs is within the limits."""
    nodes, globs = count_inputs(mapping.mapping("input"))
    globs += len(mapping.mapping("transform").texts("code"))
    if globs > MAX_GLOBS:
        reader.report(
            "error",
            mapping.place("input"),
            "input",
            f"{globs} globs, more than the limit of {MAX_GLOBS}",
            "combine some of them with {a,b}",
        )
    elif nodes > MAX_INPUTS:
        reader.report(
            "error",
            mapping.place("input"),
            "input",
            f"{nodes} inputs, more than the limit of {MAX_INPUTS}",
            "use fewer",
        )
    return globs <= MAX_GLOBS and nodes <= MAX_INPUTS


def _is_branch(name: str) -> bool:
    parts = name.split("/")
    return bool(
        _BRANCH.fullmatch(name)
        and ".." not in name
        and not any(
            p in ("", "HEAD", "@") or p.startswith(".") or p.endswith(".lock") for p in parts
        )
        and name != "git-annex"
        and parts[0] not in ("synced", "refs", "pull", "tea")
    )
