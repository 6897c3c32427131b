"""``tea-runner reproduce``: compute known results again in a temporary directory and compare."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from tea_runner.cli import complete_names
from tea_runner.cli.exec import datum_runner, environment_for
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import OpenDataset, open_dataset, report_problems
from tea_runner.cli.options import at_option, json_option
from tea_runner.dataset.reproducibility_ledger import ReproducibilityLedger
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.reproduce_datums import reproduce_datums
from tea_runner.host.openat import remove_tree
from tea_runner.present.visible_text import visible
from workers.run_datums import ComputedDatum


@click.command("reproduce")
@click.argument(
    "words",
    nargs=-1,
    metavar="[PIPELINE|DATUM]...",
    shell_complete=complete_names.pipelines_or_datums,
)
@at_option
@click.option(
    "--ledger", "only_ledger", is_flag=True, help="Only show the counts of earlier checks."
)
@json_option
@click.pass_obj
def command(context: Context, words: tuple[str, ...], at: str, only_ledger: bool) -> int:
    """Compute known results again and compare the bytes.

    The dataset is not changed. .git/tea-ledger.json counts per pipeline how many results had the
    same bytes. The exit code is 1 when a result differs or fails.
    """
    session = open_dataset(context)
    ledger = ReproducibilityLedger(session.clone.repository.git_dir)
    if only_ledger:
        _show(context, ledger)
        return 0
    tip = session.results_tip(at, fetched=False)
    broken = report_problems(tip)
    verdicts = []
    for verdict in reproduce_datums(tip, words, functools.partial(_compute, session, tip)):
        verdicts.append(verdict)
        ledger.add_verdict([verdict])
        if not context.as_json:
            click.echo(visible(str(verdict)))
    if context.as_json:
        rows = [
            {
                "pipeline": v.pipeline,
                "datum": v.datum,
                "key": v.key,
                "outcome": v.outcome,
                "detail": v.detail,
            }
            for v in verdicts
        ]
        click.echo(json.dumps(rows, indent=1))
    elif not verdicts and not broken:
        click.echo("There is no result to reproduce; compute some with: tea-runner run")
    return 1 if broken or any(v.outcome in ("differs", "failed") for v in verdicts) else 0


def _compute(
    session: OpenDataset,
    tip: CommitReader,
    inputs: PipelineInputs,
    wanted: Sequence[tuple[str, str]],
) -> Iterator[ComputedDatum]:
    """Compute datums in a temporary directory, which is removed at the end."""
    runner = datum_runner(session, tip, environment_for(session.context, inputs.pipeline))
    base = Path(tempfile.mkdtemp(prefix="tea-reproduce-"))
    try:
        yield from runner.run(
            tip, inputs, wanted, base, job_id="reproduce", write_log=lambda _: None
        )
    finally:
        remove_tree(base)


def _show(context: Context, ledger: ReproducibilityLedger) -> None:
    document = ledger.read()
    if context.as_json:
        click.echo(json.dumps(document, indent=1))
        return
    pipelines = document.get("pipelines", {})
    for name, row in sorted(pipelines.items()):
        click.echo(
            visible(
                f"{name}: {row['ok']} same, {row['differs']} other bytes, {row['failed']} failed"
            )
        )
    if not pipelines:
        click.echo("No results were verified yet.")
