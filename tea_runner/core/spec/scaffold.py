"""Make the files of a new pipeline from a template or a DataLad run record."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tea_runner.core.errors import UserError

TEMPLATES = ("per-file", "per-subject", "join", "group", "two-steps", "container")

_GLOB = re.compile(r"([][*?{}()!+@\\])")


class ScaffoldError(UserError):
    """The run record cannot be converted to a pipeline."""


def fill_template(files: Mapping[str, str], *, name: str, place: str) -> dict[str, str]:
    """Fill in a template; returns the new files by path in the dataset.

    :param place: path of the input in the dataset.
    """
    words = {"@NAME@": name, "@HOME@": name, "@INPUT@": _yaml(place)}
    filled = {}
    for path, text in files.items():
        for word, value in words.items():
            path, text = path.replace(word, value), text.replace(word, value)
        filled[f"{name}/{path}"] = text
    return filled


#: Returns the names in a directory of the dataset, an empty sequence for a file, None if it is missing.
ListPath = Callable[[str], Sequence[str] | None]


def from_record(
    record: Mapping[str, object], *, home: str, commit: str, look: ListPath
) -> tuple[dict[str, str], list[str]]:
    """A pipeline file that repeats a ``datalad run``, and notes on what a person has to check.

    :param home: the pipeline's directory; by default the one that contains all outputs.
    :raises ScaffoldError: when the record is incomplete.
    """
    short = commit[:12]
    run = _parse_run(record, short)
    home = home or _home(run.outputs, look)
    transform: dict[str, Any] = {"cmd": run.words}
    if run.folder != ".":
        transform["working_dir"] = run.folder
    code = _code(run.words, run.folder, [*run.inputs, *run.outputs], run.extra, look)
    if code:
        transform["code"] = code
    kept = _kept(run.outputs, home, look)
    document = {
        "pipeline": {"name": _name(home)},
        "description": f"As datalad run did in commit {short}.",
        "view": "dataset",
        "input": _inputs(run.inputs),
        "outputs": kept or ["result"],
        "transform": transform,
    }
    head = f"# Made from the run record of commit {short}: what datalad rerun does once more,\n"
    head += "# this does whenever one of the inputs has changed.\n"
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return {f"{home}/spec.yml": head + text}, _notes(run, home, kept, look)


@dataclass(frozen=True, kw_only=True)
class _RecordedRun:
    """What a run record says; paths are relative to the dataset."""

    words: list[str]
    folder: str
    inputs: list[str]
    extra: list[str]
    outputs: list[str]


def _parse_run(record: Mapping[str, object], commit: str) -> _RecordedRun:
    folder = str(record.get("pwd") or ".").strip("/") or "."
    cmd = record.get("cmd")
    if not cmd:
        raise ScaffoldError(f"the run record of {commit} has no command")
    words = [str(word) for word in cmd] if isinstance(cmd, list) else ["sh", "-c", str(cmd)]
    inputs, extra, outputs = (
        [_normal(folder, path) for path in _texts(record.get(field))]
        for field in ("inputs", "extra_inputs", "outputs")
    )
    for path in [*inputs, *extra, *outputs]:
        if path == ".." or path.startswith(("../", "/")):
            raise ScaffoldError(f"the record of {commit} names {path}, outside of the dataset")
    return _RecordedRun(words=words, folder=folder, inputs=inputs, extra=extra, outputs=outputs)


def _notes(run: _RecordedRun, home: str, kept: Sequence[str], look: ListPath) -> list[str]:
    notes = []
    if run.folder != ".":
        notes.append(f"the command ran in {run.folder}; check its paths")
    if not run.inputs:
        notes.append("the record names no inputs; add the files that the command reads to input")
    if not kept:
        first = next(iter(run.outputs), None)
        problem = f"{first} is outside {home}/" if first else "the record names no outputs"
        notes.append(
            f"{problem}; let the command write below {home}/, and list in outputs what it writes"
        )
    existing = [path for path in run.outputs if look(path) is not None]
    if existing and kept:
        notes.append(f"remove the old results first, they are in the way: git rm -r {existing[0]}")
    return notes


def _home(outputs: Sequence[str], look: ListPath) -> str:
    """The directory that contains all outputs; a new one if that is the dataset's root."""
    places = [path if look(path) else posixpath.dirname(path) for path in outputs]
    if not places or any(place in ("", ".") for place in places):
        return "from-record"
    return posixpath.commonpath(places) or "from-record"


def _kept(outputs: Sequence[str], home: str, look: ListPath) -> list[str]:
    """The outputs relative to the home, escaped for the pipeline file."""
    kept: list[str] = []
    for path in outputs:
        if path == home:
            kept += look(path) or ()
        elif path.startswith(home + "/"):
            kept.append(path.removeprefix(home + "/"))
    return [path.replace("$", "$$") for path in kept if path not in ("spec.yml", ".gitattributes")]


def _name(home: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", posixpath.basename(home)).strip("-_")
    return name[:63] or "from-record"


def attributes(files: Sequence[str]) -> str:
    """Lines for ``.gitattributes`` that keep these files in git, where planning reads them."""
    names = sorted(posixpath.basename(path) for path in files)
    return "".join(f"/{name} annex.largefiles=nothing\n" for name in names)


def _inputs(paths: Sequence[str]) -> dict[str, Any]:
    """An input with all paths, which may be DataLad's patterns, in one datum."""
    if not paths:
        return {"pfs": {"name": "all", "repo": ".", "glob": "/"}}
    leaves = []
    for number, path in enumerate(dict.fromkeys(paths), 1):
        name = "input" if len(set(paths)) == 1 else f"input{number}"
        pattern = path if "*" in path or "?" in path else _escaped(path)
        glob = "/" if path == "." else f"/{pattern}"
        leaves.append({"pfs": {"name": name, "repo": ".", "glob": glob}})
    return {"group": leaves}


def _code(
    cmd: Sequence[str], folder: str, known: Sequence[str], extra: Sequence[str], look: ListPath
) -> list[str]:
    """Globs of the extra inputs and of the dataset's files that the command's words name."""
    words: list[str] = []
    for word in cmd:
        try:
            words += shlex.split(word)
        except ValueError:
            words += word.split()
    found = [_normal(folder, word) for word in words if word and not word.startswith(("-", "/"))]
    files = [path for path in found if look(path) is not None and not look(path)]
    named = [path for path in dict.fromkeys([*files, *extra]) if path not in known]
    if all(path.startswith("code/") for path in named):
        return []  # The command sees code/ by default.
    return ["/" + _escaped(path) for path in named]


def _escaped(path: str) -> str:
    """A glob that matches only this path."""
    return _GLOB.sub(r"\\\1", path)


def _normal(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _yaml(text: str) -> str:
    """The text as one YAML value."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", text) and text.lower() not in _WORDS:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
