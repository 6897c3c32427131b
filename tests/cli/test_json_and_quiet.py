"""``--json`` makes every answer JSON, errors as well, and ``-q`` leaves out all but results and errors."""

from __future__ import annotations

import importlib
import json

import click
import pytest

from tea_runner.cli.verbs import VERBS
from tests.cli.dataset import Dataset

#: What has no answer: servers, a shell, a demonstration, and texts that are for other programs as they are.
WITHOUT = {
    "completion",
    "config generate",
    "demo",
    "exec",
    "forge serve",
    "lab",
    "planner",
    "run-job",
    "serve",
    "settle-run",
    "shell",
    "up",
    "worker",
}


def _commands() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for verb in VERBS:
        command = importlib.import_module(f"tea_runner.cli.{verb.replace('-', '_')}").command
        if isinstance(command, click.Group):
            found |= {f"{verb} {name}": each for name, each in command.commands.items()}
        else:
            found[verb] = command
    return found


def test_every_verb_with_an_answer_has_the_option() -> None:
    """After its name, as well as before it."""
    lacking = {
        name
        for name, command in _commands().items()
        if not any("--json" in each.opts for each in command.params)
    }
    assert lacking == WITHOUT & lacking, lacking - WITHOUT


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run", "-n"], 0),
        (["run", "-y"], 0),
        (["plan"], 0),
        (["init", "more"], 0),
        (["config", "show", "web.port"], 0),
        (["run", "nothing"], 1),
        (["why", "raw/none"], 1),
        (["plan", "--no-such-option"], 2),
        (["nonsense"], 2),
        (["runs"], 2),
    ],
)
def test_all_that_is_printed_is_json(dataset: Dataset, words: list[str], code: int) -> None:
    """One document on standard output; an error has its sentence, the next step and the exit code."""
    said = dataset.tea(*words, "--json") if words != ["nonsense"] else dataset.tea("--json", *words)

    assert code == said.code, said
    document = json.loads(said.out)
    if code:
        assert code == document["exit_code"]
        assert document["error"]
    if words[0] == "config":
        assert 1706 == document[0]["value"]


def test_quiet_leaves_out_what_went_well(dataset: Dataset) -> None:
    """The plan is its summary, a run without failures is silent."""
    (summary,) = dataset.tea("-q", "plan").lines
    assert "2 datums to run" in summary
    assert "" == dataset.tea("-q", "run", "-y").out
    assert "" == dataset.tea("-q", "run", "-y").out


@pytest.mark.parametrize("words", [["plan"], ["lint"], ["run", "-y"], ["status"]])
def test_no_color_means_no_colour(dataset: Dataset, words: list[str]) -> None:
    """https://no-color.org; also where colours are forced."""
    said = dataset.tea(*words, env={"NO_COLOR": "1", "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"})
    assert "\x1b" not in said.out + said.err
