"""``tea-runner resolve``: the pipelines with all defaults, datums and content written out."""

from __future__ import annotations

import json

import click
import yaml

from tea_runner.cli import complete_names
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import check_pipelines, open_dataset, report_problems
from tea_runner.cli.options import at_option, json_option
from tea_runner.cli.reading_progress import progress_line
from tea_runner.core.planning.resolved_pipeline_file import Document, document
from tea_runner.flow.resolve_pipeline import resolve_spec

#: The faster dumper of libyaml, if PyYAML has it.
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@click.command("resolve")
@click.argument("pipelines", nargs=-1, shell_complete=complete_names.pipelines)
@at_option
@json_option
@click.pass_obj
def command(context: Context, pipelines: tuple[str, ...], at: str) -> int:
    """Print all pipelines with defaults and datums filled in.

    Every datum with its files and their content, every default, as YAML (or JSON, which is faster
    for very many files). The keys can be computed from the output alone:
    tea-runner datums --from FILE
    """
    session = open_dataset(context)
    tip = session.tip(at)
    check_pipelines(tip, pipelines)
    broken = report_problems(tip)
    rows = []
    with progress_line(context, lambda: session.clone.repository.objects.reads) as show:
        for pipeline in tip.pipelines:
            if not pipelines or pipeline.name in pipelines:
                show(pipeline.name)
                rows.append(resolve_spec(tip, pipeline))
        whole = document(tip.tree.commit, tip.tree.dataset_id, rows)
        text = json.dumps(whole, indent=1) if context.as_json else _yaml(whole).rstrip()
    click.echo(text)
    return int(broken)


def _yaml(whole: Document) -> str:
    try:
        return str(yaml.dump(whole, Dumper=_Dumper, sort_keys=False, width=1000))
    except UnicodeEncodeError:
        # libyaml refuses lone surrogates, which represent bytes that are not UTF-8.
        return str(yaml.safe_dump(whole, sort_keys=False, width=1000))
