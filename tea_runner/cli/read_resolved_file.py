"""Reader of files that ``tea-runner resolve`` wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import NotFound, UsageError, UserError
from tea_runner.core.planning.resolved_pipeline_file import ResolvedError, recompute_keys
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.present.visible_text import visible


class ResolvedDatum(NamedTuple):
    """One datum of a resolved file."""

    pipeline: str
    datum: str
    #: Computed from the content of the file.
    key: str
    #: Written in the file.
    stated: str


def read_resolved(path: Path) -> list[ResolvedDatum]:
    """Every datum of the file.

    :raises UsageError: when it cannot be read.
    :raises ResolvedError: when resolve did not write it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"--from {path}: cannot be read: {error.strerror}") from error
    try:
        return [ResolvedDatum(*row) for row in recompute_keys(_load(data))]
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
        # libyaml refuses lone surrogates, which represent bytes that are not UTF-8.
        return yaml.safe_load(data)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ResolvedError("it is neither JSON nor YAML") from error


class PinnedDatums:
    """The datums of a resolved file, as the only ones that a run may compute."""

    def __init__(self, path: Path, only: Iterable[str]) -> None:
        """Read the file, for some pipelines or all.

        :raises UserError: when the file contradicts itself, or has no such pipeline.
        """
        self._path = path
        wanted = set(only)
        rows = read_resolved(path)
        for row in rows:
            if row.key != row.stated:
                raise ResolvedError(
                    f"{path}: {row.pipeline} {visible(shown_label(row.datum))}: its content has the key "
                    f"{row.key[:12]}, but the file states {row.stated[:12]}; run tea-runner resolve again"
                )
        named = dict.fromkeys(row.pipeline for row in rows)
        for name in sorted(wanted - set(named)):
            raise NotFound(
                f"{path} has no datum of {name}", hint=f"it has {', '.join(named) or 'none'}"
            )
        self.pipelines = tuple(name for name in named if not wanted or name in wanted)
        self._keys = {
            name: {row.datum: row.key for row in rows if row.pipeline == name}
            for name in self.pipelines
        }

    def check(self, inputs: PipelineInputs) -> None:
        """Check that a pipeline's datums are exactly those of the file.

        :raises UserError: for the first difference.
        """
        stated = self._keys[inputs.pipeline.name]
        here = {item.label: item.key for item in inputs.keyed}
        for label in dict.fromkeys((*stated, *here)):
            if stated.get(label) == here.get(label):
                continue
            how = "not here" if label not in here else "not in the file"
            if label in stated and label in here:
                how = f"another key here: {here[label][:12]}, not {stated[label][:12]}"
            raise UserError(
                f"{inputs.pipeline.name} {visible(label)}: {how}; {self._path} was made from other "
                "content; switch to its commit, or run tea-runner why to see what changed"
            )
