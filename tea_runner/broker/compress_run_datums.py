"""Datums of a run as Redis keeps them: one compressed text for each pipeline, because they are much alike."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace

from tea_runner.core.planning.run import Run, parse_rows

#: Bytes of the datums of one pipeline that are read; some millions of datums.
_MOST_BYTES = 1 << 29


def pack_datums(run: Run) -> dict[str, bytes]:
    """Number of each pipeline to its datums."""
    return {
        str(number): zlib.compress(json.dumps(pipeline.datums).encode(), 1)
        for number, pipeline in enumerate(run.pipelines)
    }


def with_datums(run: Run, packed: Mapping[bytes, bytes]) -> Run:
    """The run with its datums; those that cannot be read are left out."""
    pipelines = []
    for number, pipeline in enumerate(run.pipelines):
        rows = packed.get(str(number).encode())
        if rows is not None:
            with contextlib.suppress(ValueError, zlib.error):
                text = zlib.decompressobj().decompress(rows, _MOST_BYTES)
                pipeline = replace(pipeline, datums=parse_rows(text))
        pipelines.append(pipeline)
    return replace(run, pipelines=pipelines)
