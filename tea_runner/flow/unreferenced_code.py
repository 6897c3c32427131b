"""Code files of the default that neither the command nor other code names.

Each is in all keys of its pipeline, so a change of one that the command does not read runs everything again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tea_runner.core.results.reserved_names import CODE_FOLDER
from tea_runner.core.spec.code_patterns import CodePatterns
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs

#: Datums from which on it matters.
MANY_DATUMS = 100
#: Code files of a pipeline that are read to find names in them.
_MAX_FILES = 500
#: A word in code, or in a name: letters, digits and the bytes of other alphabets; else signs.
_LETTERS = re.compile(rb"[\w\x80-\xff]")
_WORD = re.compile(rb"[\w\x80-\xff]+|[^\w\s\x80-\xff]+")


def unnamed_code(tip: CommitReader, inputs: PipelineInputs) -> tuple[str, ...]:
    """Paths of these files, for a pipeline with many datums; what cannot be read names nothing."""
    patterns = CodePatterns(inputs.pipeline.transform)
    few = len(inputs.datums) < MANY_DATUMS or len(inputs.code) > _MAX_FILES
    if few or not patterns.uses_default:
        return ()
    named = named_files({path: _text(tip, path) for path in inputs.code})
    return tuple(path for path in inputs.code if path not in named and not patterns.is_named(path))


def named_files(texts: Mapping[str, bytes]) -> set[str]:
    """The files that another one names, by whole words; each text is read once.

    :param texts: contents of the files by path.
    """
    words = {path: [_parts(word) for word in _words(path)] for path in texts}
    wanted = frozenset(part for many in words.values() for parts in many for part in parts)
    holders: dict[bytes, set[str]] = {part: set() for part in wanted}
    for path, text in texts.items():
        for part in wanted.intersection(_WORD.findall(text)):
            holders[part].add(path)
    return {
        path
        for path, many in words.items()
        if any(set.intersection(*map(holders.__getitem__, parts)) - {path} for parts in many)
    }


def _parts(name: bytes) -> list[bytes]:
    """The words of a name; of one that has signs only, those."""
    found = _WORD.findall(name)
    return [part for part in found if _LETTERS.match(part)] or found


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
