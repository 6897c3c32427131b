"""Code files of the default that neither the command nor other code names.

Each is in all keys of its pipeline, so a change of one that the command does not read runs everything again.
"""

from __future__ import annotations

from tea_runner.core.results.reserved_names import CODE_FOLDER
from tea_runner.core.spec.code_patterns import CodePatterns
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_inputs import PipelineInputs

#: Datums from which on it matters.
MANY_DATUMS = 100
#: Code files of a pipeline that are read to find names in them.
_MAX_FILES = 500


def unnamed_code(tip: CommitReader, inputs: PipelineInputs) -> tuple[str, ...]:
    """Paths of these files, for a pipeline with many datums; what cannot be read names nothing."""
    patterns = CodePatterns(inputs.pipeline.transform)
    few = len(inputs.datums) < MANY_DATUMS or len(inputs.code) > _MAX_FILES
    if few or not patterns.uses_default:
        return ()
    texts = {path: _text(tip, path) for path in inputs.code}
    return tuple(
        path
        for path in inputs.code
        if not patterns.is_named(path)
        and not any(
            word in text for word in _words(path) for other, text in texts.items() if other != path
        )
    )


def _words(path: str) -> list[bytes]:
    """What code that reads a file may call it: its name without extension, or a folder that holds it."""
    *folders, name = path.split("/")
    words = [name.partition(".")[0] or name, *folders[1 if folders[0] == CODE_FOLDER else 0 :]]
    if name.startswith("__init__."):
        words += folders[-1:]
    return [word.encode("utf-8", "surrogateescape") for word in words]


def _text(tip: CommitReader, path: str) -> bytes:
    at, rest = tip.resolve(path)
    return at.tree.blob_at(rest) or b""
