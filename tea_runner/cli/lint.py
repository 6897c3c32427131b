"""``tea-runner lint``: errors and warnings of the pipeline files, saved or not."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tea_runner.cli import complete_names
from tea_runner.cli.main import Context
from tea_runner.cli.open_unsaved_dataset import open_draft
from tea_runner.cli.options import json_option
from tea_runner.core.errors import UsageError
from tea_runner.core.spec.parse import parse_specs
from tea_runner.core.spec.problem import Problem
from tea_runner.dataset.unsaved_files import annexed
from tea_runner.flow.lint_pipelines import lint_pipelines
from tea_runner.present.problem_text import problem_lines, problem_rows


@click.command("lint")
@click.argument("files", nargs=-1, shell_complete=complete_names.files)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@json_option
@click.pass_obj
def command(context: Context, files: tuple[str, ...], strict: bool) -> int:
    """Check the pipeline files.

    Unsaved changes are checked too. Without FILES, all pipeline files of the dataset are checked.
    The exit code is 1 when there are errors.
    """
    if not context.directory.is_dir():
        raise UsageError(f"there is no directory {context.directory}")
    paths = [context.directory / name for name in files]
    for path in paths:
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
    top, problems, checked = _check(context)
    if paths:
        wanted = {_below(path, top): path for path in paths}
        problems = [problem for problem in problems if problem.file in wanted]
        for name, path in wanted.items():
            if name not in checked:
                problems += parse_specs(str(path), path.read_bytes()).problems
        checked = tuple(wanted)
    if context.as_json:
        click.echo(json.dumps(problem_rows(problems), indent=1))
    elif not checked:
        click.echo("There is no pipeline file (NAME/spec.yml) here; tea-runner init writes one.")
    else:
        for line in problem_lines(problems, len(checked)):
            click.echo(line)
    return int(any(problem.is_error or strict for problem in problems))


def _check(context: Context) -> tuple[Path, list[Problem], tuple[str, ...]]:
    """Top folder, problems, and names of the checked pipeline files."""
    with open_draft(context) as draft:
        problems = list(lint_pipelines(draft.view))
        unsaved_specs = [path for path in draft.specs if draft.changed.get(path) is not None]
        if draft.repository is not None:
            paths = annexed(draft.repository, draft.top, unsaved_specs)
            problems += [_would_be_annexed(path) for path in paths]
        return draft.top, problems, draft.specs


def _would_be_annexed(path: str) -> Problem:
    name = path.rpartition("/")[2]
    return Problem(
        kind="warning",
        file=path,
        line=1,
        message="this file would be annexed, and planning reads pipeline files from git only",
        hint=f"add to {path.removesuffix(name)}.gitattributes: /{name} annex.largefiles=nothing",
    )


def _below(path: Path, top: Path) -> str:
    full = path.resolve()
    return full.relative_to(top).as_posix() if full.is_relative_to(top) else str(path)
