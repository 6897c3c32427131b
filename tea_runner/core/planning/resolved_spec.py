"""A pipeline with nothing left open in, a document out; and the keys of its datums from the document alone.

The document holds every default, every datum, and the identity of every file that a command can see:
what the keys are made of.  :func:`recompute` needs nothing else, no dataset and no git.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast

from tea_runner.core.datums.content_identity import Content
from tea_runner.core.datums.keys import SeenFile, SeenInput, base, datum_key
from tea_runner.core.errors import UserError
from tea_runner.core.pipeline import Cron, Input, Pfs, Pipeline, Transform

FORMAT = 1

Row = dict[str, Any]


class ResolvedError(UserError):
    """This is no file that tea-runner resolve wrote."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Located:
    """A file of a view: how it is seen, and where it lies in the dataset."""

    seen: SeenFile
    path: str
    #: The annex key, empty for a file that is kept in git.
    key: str = ""


def document(commit: str, dataset_id: str, pipelines: Sequence[Row]) -> Row:
    """The whole of it."""
    return {
        "tea-runner": {"resolved": FORMAT},
        "commit": commit,
        "dataset": dataset_id,
        "pipelines": list(pipelines),
    }


def pipeline_row(
    pipeline: Pipeline, environment: Sequence[str], code: Sequence[Located], datums: Sequence[Row]
) -> Row:
    """One pipeline: every field of its specification, what its command sees, its datums."""
    said = _plain(pipeline)
    assert isinstance(said, dict)
    said["input"] = _input(pipeline.input)
    return {
        "spec": said,
        "environment": list(environment),
        "code": [_file(each) for each in code],
        "datums": list(datums),
    }


def datum_row(
    label: str, key: str, place: str, inputs: Sequence[tuple[SeenInput, Sequence[Located]]]
) -> Row:
    """One datum: who it is, its key, where its outputs go, what its command sees."""
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


def recompute(found: object) -> list[tuple[str, str, str, str]]:
    """Pipeline, datum, the key that the document's own content gives, and the key that it states.

    :raises ResolvedError: when it is no such document, or one of a newer format.
    """
    try:
        whole = cast(Row, found)
        if whole["tea-runner"]["resolved"] != FORMAT:
            raise ResolvedError(f"its format is not {FORMAT}; use the tea-runner that wrote it")
        rows = []
        for each in whole["pipelines"]:
            pipeline = _pipeline(each["spec"])
            shared = base(pipeline, each["environment"], [_seen(row) for row in each["code"]])
            for datum in each["datums"]:
                inputs = [
                    SeenInput(
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
            f"it is not what tea-runner resolve wrote ({what}); write it again"
        ) from error


def _file(located: Located) -> Row:
    seen, content = located.seen, located.seen.content
    row: Row = {"seen": seen.path, "path": located.path, "executable": seen.executable}
    if content is None:
        row["content"] = None
    else:
        row["content"] = f"{content.algorithm}:{content.digest}"
        row["size"] = content.size
    if located.key:
        row["annex"] = located.key
    return row


def _seen(row: Mapping[str, Any]) -> SeenFile:
    content = None
    if row["content"] is not None:
        algorithm, _, digest = str(row["content"]).partition(":")
        content = Content(algorithm, int(row["size"]), digest)
    return SeenFile(str(row["seen"]), bool(row["executable"]), content)


def _plain(value: object) -> object:
    """Dataclasses as mappings, tuples as lists; everything else as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _input(node: Input) -> Row:
    """The input as a pipeline file has it, with every default."""
    if isinstance(node, Pfs):
        return {"pfs": _plain(node)}
    if isinstance(node, Cron):
        return {"cron": _plain(node)}
    return {node.kind: [_input(child) for child in node.inputs]}


def _pipeline(said: Mapping[str, Any]) -> Pipeline:
    """As much of the pipeline as keys are made of."""
    transform = said["transform"]
    return Pipeline(
        name=str(said["name"]),
        home=str(said["home"]),
        spec_path=str(said["spec_path"]),
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
        view=said["view"],
        outputs=tuple(said["outputs"]),
        output_path=said["output_path"],
        salt=said["salt"],
    )
