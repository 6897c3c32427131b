"""``tea-runner why``: why a datum runs or is reused, and what made a file."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path

import click

from tea_runner.cli import complete_names, remote_plan_status_why
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import OpenDataset, open_dataset, report_problems
from tea_runner.cli.options import at_option, json_option
from tea_runner.cli.reading_progress import progress_line
from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import NotFound
from tea_runner.dataset.path_history import last_writer
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.explain import explain, find
from tea_runner.flow.make_plan import PlannedCommit
from tea_runner.present.visible_text import visible
from tea_runner.present.why_text import why_lines, why_row

_SHOWN = 20
#: Names per pipeline that a mistyped name is compared with.
_COMPARED = 2000


@click.command("why")
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="PATH|DATUM",
    shell_complete=complete_names.files_or_datums,
)
@at_option
@json_option
@click.pass_obj
def command(context: Context, words: tuple[str, ...], at: str) -> int:
    """Explain why a datum runs, or what made a file.

    A datum is named as tea-runner datums lists it (with or without its pipeline), or by the first 8
    or more digits of its key. A path may be a result, an input, or code.
    """
    if context.server is not None:
        remote_plan_status_why.ask(context.server, "why", words, as_json=context.as_json)
        return 0
    session = open_dataset(context)
    with progress_line(context, lambda: session.clone.repository.objects.reads):
        planned = session.plan(at, fetched=True)
        broken = bool(planned.plan.problems) and report_problems(planned.tip)
        word = " ".join(words)
        path = _path(session, context.directory, word)
        meant = find(planned, word, path)
        if meant is None:
            raise NotFound(_unknown(planned, word, path))
        explanations = [
            explain(
                planned,
                pipeline,
                label,
                lambda commit: _open(session, commit),
                lambda output: last_writer(
                    session.clone.repository, planned.tip.tree.commit, output
                ),
            )
            for pipeline, label in meant.datums[: None if context.as_json else _SHOWN]
        ]
    if context.as_json:
        rows = [why_row(each) for each in explanations]
        click.echo(json.dumps({"path": path, "how": meant.how, "datums": rows}, indent=1))
        return int(broken)
    count = len(meant.datums)
    of = "one datum" if count == 1 else f"{count} datums"
    if meant.how != "datum":
        click.echo(
            f"{visible(path)} is {'a result' if meant.how == 'result' else meant.how} of {of}:"
        )
    for each in explanations:
        click.echo("\n".join(why_lines(each)))
    if count > _SHOWN:
        click.echo(f"… and {count - _SHOWN} more; name one of them, or use --json for all")
    return int(broken)


def _path(session: OpenDataset, directory: Path, word: str) -> str:
    """A path as typed in *directory*, relative to the dataset."""
    top = session.clone.clone.worktree.resolve()
    full = Path(os.path.normpath(directory.resolve() / word))
    return full.relative_to(top).as_posix() if full.is_relative_to(top) else word


def _open(session: OpenDataset, commit: str) -> CommitReader | None:
    try:
        return session.tip(commit)
    except NotFound:
        return None


def _unknown(planned: PlannedCommit, word: str, path: str) -> str:
    """Message for a word that is neither a datum nor a path."""
    specs = [each.name for each in planned.tip.pipelines if each.spec_path == path]
    if specs:
        return f"{path} defines {specs[0]}; run tea-runner why {specs[0]}"
    pipeline_inputs = planned.works.values()
    known = [
        shown_label(item.label) for inputs in pipeline_inputs for item in inputs.keyed[:_COMPARED]
    ]
    known += [
        p
        for inputs in pipeline_inputs
        for d in inputs.datums[:_COMPARED]
        for p in inputs.input_paths(d)
    ]
    if planned.tip.tree.entry(path) is not None:
        return f"{path} is in this commit, but no pipeline reads or writes it"
    near = difflib.get_close_matches(word, known, 1)
    if near:
        return f"there is no datum or path {word}; did you mean {near[0]}?"
    return f"there is no datum or path {word}; tea-runner datums lists the datums"
