"""Resolved pipeline files: pipelines with every default, every datum and every file identity.

That is all that keys are made of, so that :func:`recompute_keys` needs no dataset and no git.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast

from tea_runner.core.datums.content_identity import Content
from tea_runner.core.datums.datum_keys import VisibleFile, VisibleInput, datum_key, key_base
from tea_runner.core.errors import UserError
from tea_runner.core.pipeline import Cron, Input, Pfs, Pipeline, Transform

FORMAT = 1

Document = dict[str, Any]


class ResolvedError(UserError):
    """The file was not written by tea-runner resolve."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocatedFile:
    """A file of a datum's view, and its path in the dataset."""

    seen: VisibleFile
    path: str
    #: The annex key; empty for a file in git.
    key: str = ""


def document(commit: str, dataset_id: str, pipelines: Sequence[Document]) -> Document:
    """The document of a dataset's pipelines."""
    return {
        "tea-runner": {"resolved": FORMAT},
        "commit": commit,
        "dataset": dataset_id,
        "pipelines": list(pipelines),
    }


def pipeline_row(
    pipeline: Pipeline,
    environment: Sequence[str],
    code: Sequence[LocatedFile],
    datums: Sequence[Document],
) -> Document:
    """One pipeline: every field of its specification, what its command sees, its datums."""
    spec = _plain(pipeline)
    assert isinstance(spec, dict)
    spec["input"] = _input(pipeline.input)
    return {
        "spec": spec,
        "environment": list(environment),
        "code": [_file(each) for each in code],
        "datums": list(datums),
    }


def datum_row(
    label: str, key: str, place: str, inputs: Sequence[tuple[VisibleInput, Sequence[LocatedFile]]]
) -> Document:
    """One datum: label, key, directory of its outputs, and what its command sees."""
    return {
        "datum": label,
        "key": key,
        "place": place,
        "inputs": [
            {
                "name": seen.name,
                "path": seen.path,
                "directory": seen.is_dir,
                "join_on": seen.join_on,
                "group_by": seen.group_by,
                "files": [_file(each) for each in located],
            }
            for seen, located in inputs
        ],
    }


def recompute_keys(found: object) -> list[tuple[str, str, str, str]]:
    """Compute keys from a document: (pipeline, datum, computed key, stated key) of each datum.

    :raises ResolvedError: when it is not such a document, or one of another format.
    """
    try:
        whole = cast(Document, found)
        if whole["tea-runner"]["resolved"] != FORMAT:
            raise ResolvedError(
                f"its format is not {FORMAT}", hint="use the tea-runner that wrote it"
            )
        rows = []
        for each in whole["pipelines"]:
            pipeline = _pipeline(each["spec"])
            shared = key_base(pipeline, each["environment"], [_seen(row) for row in each["code"]])
            for datum in each["datums"]:
                inputs = [
                    VisibleInput(
                        str(row["name"]),
                        str(row["path"]),
                        bool(row["directory"]),
                        str(row["join_on"]),
                        str(row["group_by"]),
                        tuple(_seen(file) for file in row["files"]),
                    )
                    for row in datum["inputs"]
                ]
                key = datum_key(shared, inputs)
                rows.append((pipeline.name, str(datum["datum"]), key, str(datum["key"])))
        return rows
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__} {error}"
        raise ResolvedError(
            f"it is not what tea-runner resolve wrote ({what})", hint="write it again"
        ) from error


def _file(located: LocatedFile) -> Document:
    seen, content = located.seen, located.seen.content
    row: Document = {"seen": seen.path, "path": located.path, "executable": seen.executable}
    if content is None:
        row["content"] = None
    else:
        row["content"] = f"{content.algorithm}:{content.digest}"
        row["size"] = content.size
    if located.key:
        row["annex"] = located.key
    return row


def _seen(row: Mapping[str, Any]) -> VisibleFile:
    content = None
    if row["content"] is not None:
        algorithm, _, digest = str(row["content"]).partition(":")
        content = Content(algorithm, int(row["size"]), digest)
    return VisibleFile(str(row["seen"]), bool(row["executable"]), content)


def _plain(value: object) -> object:
    """Dataclasses as mappings, tuples as lists; everything else as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _input(node: Input) -> Document:
    """The input as a pipeline file has it, with every default."""
    if isinstance(node, Pfs):
        return {"pfs": _plain(node)}
    if isinstance(node, Cron):
        return {"cron": _plain(node)}
    return {node.kind: [_input(child) for child in node.inputs]}


def _pipeline(spec: Mapping[str, Any]) -> Pipeline:
    """The parts of a pipeline that are in keys."""
    transform = spec["transform"]
    return Pipeline(
        name=str(spec["name"]),
        home=str(spec["home"]),
        spec_path=str(spec["spec_path"]),
        transform=Transform(
            cmd=tuple(transform["cmd"]),
            stdin=tuple(transform["stdin"]),
            err_cmd=tuple(transform["err_cmd"]),
            err_stdin=tuple(transform["err_stdin"]),
            accept_return_code=tuple(transform["accept_return_code"]),
            env=tuple((name, value) for name, value in transform["env"]),
            working_dir=transform["working_dir"],
            user=transform["user"],
            image=transform["image"],
            network=transform["network"],
        ),
        input=Pfs(name="-", repo="."),
        view=spec["view"],
        outputs=tuple(spec["outputs"]),
        output_path=spec["output_path"],
        salt=spec["salt"],
    )
