"""A file of ``tea-runner resolve`` in, the keys that its own content gives out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tea_runner.core.errors import NotFound, UsageError, UserError
from tea_runner.core.planning.resolved_spec import ResolvedError, recompute_keys
from tea_runner.flow.pipeline_inputs import PipelineInputs
from tea_runner.present.visible_text import visible


class Stated(NamedTuple):
    """One datum of such a file."""

    pipeline: str
    datum: str
    #: What the content of the file gives.
    key: str
    #: What the file says it is.
    stated: str


def read_resolved(path: Path) -> list[Stated]:
    """Every datum of the file.

    :raises UsageError: when it cannot be read.
    :raises ResolvedError: when resolve did not write it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"--from {path}: cannot be read: {error.strerror}") from error
    try:
        return [Stated(*row) for row in recompute_keys(_load(data))]
    except ResolvedError as error:
        raise ResolvedError(f"{path}: {error.message}") from error


def _load(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError):
        pass
    try:
        # Bytes that are no UTF-8 stand as lone surrogates, which libyaml does not take.
        return yaml.safe_load(data)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ResolvedError("it is neither JSON nor YAML") from error


class Pinned:
    """What a run may compute: the datums of one resolved file, by their keys."""

    def __init__(self, path: Path, only: Iterable[str]) -> None:
        """Read the file, for these pipelines or for all of it.

        :raises UserError: when the file contradicts itself, or has no such pipeline.
        """
        self._path = path
        wanted = set(only)
        rows = read_resolved(path)
        for row in rows:
            if row.key != row.stated:
                raise ResolvedError(
                    f"{path}: {row.pipeline} {visible(row.datum)}: its content gives the key "
                    f"{row.key[:12]}, it states {row.stated[:12]}; write it again"
                )
        named = dict.fromkeys(row.pipeline for row in rows)
        for name in sorted(wanted - set(named)):
            raise NotFound(f"{path} has no datum of {name}; it has {', '.join(named) or 'none'}")
        self.pipelines = tuple(name for name in named if not wanted or name in wanted)
        self._keys = {
            name: {row.datum: row.key for row in rows if row.pipeline == name}
            for name in self.pipelines
        }

    def check(self, work: PipelineInputs) -> None:
        """See that a pipeline's datums here are exactly those of the file.

        :raises UserError: with the first that is not, and how to go on.
        """
        stated = self._keys[work.pipeline.name]
        here = {item.label: item.key for item in work.keyed}
        for label in dict.fromkeys((*stated, *here)):
            if stated.get(label) == here.get(label):
                continue
            how = "not here" if label not in here else "not in the file"
            if label in stated and label in here:
                how = f"another key here: {here[label][:12]}, not {stated[label][:12]}"
            raise UserError(
                f"{work.pipeline.name} {visible(label)}: {how}; {self._path} was made of other "
                "content. Next: git switch to its commit, or tea-runner why tells what changed"
            )
