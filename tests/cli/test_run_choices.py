"""``tea-runner run`` with parts of the pipelines, what a failure does, and the summary at the end."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from tea_runner.cli.main import cli
from tea_runner.settings.load import known
from tests.cli.dataset import FILES, TABLE, Dataset

_STOP = """\
pipeline: {name: stop}
input: {pfs: {name: in, repo: raw, glob: "/*"}}
datum_tries: 1
transform: {cmd: [sh, -c, "echo $(ls $PFS/in) >> COUNT; exit 1"]}
"""


def test_a_pipeline_runs_with_what_it_needs(tmp_path: Path) -> None:
    """And nothing else; each action is counted at the end."""
    other = TABLE.replace("table", "other").replace("repo: shout", "repo: raw")
    dataset = Dataset(tmp_path / "data", {**FILES, "other/spec.yml": other})
    said = dataset.tea("run", "-y", "--up-to", "table")
    assert ["run(ok): shout", "run(ok): table"] == [line.partition(" [")[0] for line in said.lines]
    assert "action summary:\n  run (ok: 2)" in said.err
    assert 0 == said.code
    assert not (dataset.path / "other" / "table.txt").exists()

    assert 2 == dataset.tea("run", "--up-to").code
    assert "raw/a.txt is none" in dataset.tea("run", "--up-to", "raw/a.txt").err


@pytest.mark.long
def test_nothing_begins_after_a_failure_that_stops(tmp_path: Path) -> None:
    """With one job at a time the first failure is the last; the exit code says it, unless it is ignored."""
    count = tmp_path / "count"
    files = {f"raw/{name}": name for name in "abc"}
    dataset = Dataset(
        tmp_path / "data", {**files, "stop/spec.yml": _STOP.replace("COUNT", str(count))}
    )
    for words, code, ran in (
        (("--on-failure", "stop"), 1, 1),
        (("--on-failure", "ignore"), 0, 3),
        ((), 1, 3),
    ):
        count.write_text("")
        assert code == dataset.tea("run", "-y", "-j", "1", *words).code, words
        assert ran == len(count.read_text().split()), words


def test_help_names_the_variable_of_each_setting() -> None:
    """Beside its name, for every option of every verb."""
    variables = {each.name: each.variable for each in known()}
    context, found = click.Context(cli), 0
    for verb in ("", *cli.list_commands(context)):
        command = cli.get_command(context, verb) if verb else cli
        assert command is not None
        for option in command.params:
            words = getattr(option, "help", "") or ""
            for name in re.findall(r"\(([a-z]+\.[a-z_]+)", words):
                assert f"{name}, {variables[name]}" in words, (verb, option.name)
                found += 1
    assert found >= 6


def test_an_unknown_executor_is_named_with_those_that_exist(tmp_path: Path) -> None:
    """Before anything is computed."""
    dataset = Dataset(tmp_path / "data", FILES)
    said = dataset.tea("run", "-y", "--executor", "lsf")

    assert 2 == said.code
    assert "there is no lsf; local, slurm and dask://HOST:PORT exist" in said.err
