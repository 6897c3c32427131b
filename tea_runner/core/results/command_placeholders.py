"""Commands of ``view: dataset``: placeholders and the shell text for run records.

The shell text does the same in any clone, without tea-runner.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tea_runner.core.datums.datum import Datum
from tea_runner.core.errors import UserError
from tea_runner.core.glob.matcher import expand
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results.run_record import escape

_PLACEHOLDER = re.compile(r"\{(inputs|outputs|pwd|dspath)(?:\[(\d+)\])?\}")


@dataclass(frozen=True, kw_only=True)
class Paths:
    """A datum's paths in the dataset."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def declared_outputs(pipeline: Pipeline, datum: Datum) -> tuple[str, ...]:
    """Paths of the dataset that the datum's command must write.

    :raises UserError: when a template does not give a path inside the home.
    """
    captures = next((entry.captures for entry in datum.entries if len(entry.captures) > 1), ())
    captures = captures or (datum.entries[0].captures if datum.entries else ())
    found = []
    for template in pipeline.outputs:
        text = expand(template, captures).strip("/")
        if any(part in ("", ".", "..") for part in text.split("/")):
            raise UserError(
                f"{pipeline.spec_path}: outputs: {template} gives {text!r} for datum {datum.label}",
                hint="use captures of the glob, such as $1",
            )
        found.append(f"{pipeline.home}/{text}" if pipeline.home else text)
    return tuple(found)


def fill_placeholders(words: Sequence[str], paths: Paths) -> tuple[str, ...]:
    """The command with its placeholders replaced.

    A word that is just ``{inputs}`` or ``{outputs}`` becomes one word for each path; in a longer
    word they become shell text, quoted where necessary.

    :raises UserError: for an index without a path.
    """
    lists = {"inputs": paths.inputs, "outputs": paths.outputs}
    filled: list[str] = []
    for word in words:
        if word in ("{inputs}", "{outputs}"):
            filled += lists[word[1:-1]]
            continue

        def replace(match: re.Match[str], word: str = word) -> str:
            name, number = match[1], match[2]
            if name in ("pwd", "dspath"):
                return "."
            values = lists[name]
            if number is None:
                return shlex.join(values)
            if int(number) >= len(values):
                raise UserError(
                    f"{word}: {name}[{number}] does not exist; there are {len(values)} {name}"
                )
            whole = match[0] == word
            return values[int(number)] if whole else shlex.quote(values[int(number)])

        filled.append(_PLACEHOLDER.sub(replace, word))
    return tuple(filled)


def record_text(pipeline: Pipeline, paths: Paths, variables: Mapping[str, str]) -> str:
    """Shell text that repeats the datum's command from the dataset's root.

    :param variables: the command's environment; the variables that the text mentions are set in it.
    """
    transform = pipeline.transform
    words = fill_placeholders(transform.cmd, paths)
    lines = fill_placeholders(transform.stdin, paths)
    mentioned = " ".join([*words, *lines])
    chosen = dict(transform.env)
    for name, value in variables.items():
        if re.search(rf"\$(?:\{{)?{re.escape(name)}\b", mentioned):
            chosen.setdefault(name, value)
    text = shlex.join(words)
    if chosen:
        text = (
            shlex.join(["env", *(f"{name}={value}" for name, value in sorted(chosen.items()))])
            + " "
            + text
        )
    if lines:
        text = f"printf '%s\\n' {shlex.join(lines)} | {text}"
    if transform.working_dir:
        text = f"cd {shlex.quote(transform.working_dir)} && {text}"
    return escape(text)
