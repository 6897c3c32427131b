"""``tea-runner init``: write a starter pipeline; existing files are never overwritten."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.resources import files as package_files
from pathlib import Path

import click

from tea_runner.cli.jsonnet_template import parse_arguments, render
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import OpenDataset, open_dataset
from tea_runner.cli.options import json_option
from tea_runner.core.errors import NotFound, UsageError, UserError
from tea_runner.core.git.tree import TREE
from tea_runner.core.results.run_record import parse_record, parse_trailers
from tea_runner.core.spec.pipeline_file_names import SPEC_NAMES
from tea_runner.core.spec.scaffold import TEMPLATES, attributes, fill_template, from_record
from tea_runner.dataset.unsaved_files import annexed
from tea_runner.present.visible_text import visible

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
#: Usual names of folders with data.
_DATA = ("data", "raw", "images", "sourcedata", "inputs", "input")


@click.command("init")
@click.argument("name", required=False)
@click.option(
    "-t",
    "--template",
    type=click.Choice(TEMPLATES),
    show_default="NAME if it is one of these, else per-file",
    help="How files form datums.",
)
@click.option("--input", "input_folder", metavar="DIR", help="Folder of the input files.")
@click.option(
    "--from-record",
    "record",
    metavar="COMMIT",
    help="Create the pipeline from a datalad run record of this dataset.",
)
@click.option(
    "--jsonnet",
    "jsonnet",
    metavar="FILE",
    help="Create the pipeline from a Jsonnet template, as pachctl does.",
)
@click.option(
    "--arg", "arguments", multiple=True, metavar="PARAM=VALUE", help="Argument of the template."
)
@json_option
@click.pass_obj
def command(
    context: Context,
    name: str | None,
    template: str | None,
    input_folder: str | None,
    record: str | None,
    jsonnet: str | None,
    arguments: tuple[str, ...],
) -> int:
    """Write a starter pipeline.

    The files go to NAME/, and the output lists what to edit. Templates:

    \b
    per-file     one datum per file of a folder
    per-subject  one datum per subject's folder (sub-01, sub-02, …)
    join         one datum per subject that has two files
    group        one datum per subject with all of its runs
    two-steps    two pipelines; the second reads the results of the first
    container    per-file, in a container
    """
    session = open_dataset(context)
    top = session.clone.clone.worktree
    if arguments and jsonnet is None:
        raise UsageError("--arg needs --jsonnet")
    if jsonnet is not None:
        if record is not None or template is not None or input_folder is not None:
            raise UsageError("--jsonnet cannot be combined with another source")
        text, first = render(context.directory / jsonnet, parse_arguments(arguments))
        name = _valid(name or first)
        written, notes = {f"{name}/spec.json": text}, list[str]()
    elif record is not None:
        written, notes = _from_record(session, record, name or "")
    else:
        # "init join" selects the template join.
        template = template or (name if name in TEMPLATES else "per-file")
        name = name or template
        written, notes = _from_template(top, template, _valid(name), input_folder)
    _write(session, top, written)
    if context.as_json:
        click.echo(json.dumps({"written": list(written), "notes": notes}, indent=1))
        return 0
    for path in written:
        click.echo(f"write(ok): {path}")
    spec = next(path for path in written if path.endswith(("/spec.yml", "/spec.json")))
    for note in notes:
        click.echo(f"edit {spec}: {note}")
    click.echo("then: tea-runner lint, datalad save, tea-runner plan, tea-runner run")
    return 0


def _valid(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name} is not a valid pipeline name",
            hint="use 1 to 63 of A-Z a-z 0-9 _ -, beginning and ending with a letter or digit",
        )
    return name


def _from_template(
    top: Path, template: str, name: str, input_folder: str | None
) -> tuple[dict[str, str], list[str]]:
    notes = []
    if input_folder is None:
        input_folder = _guess_input(top)
        if input_folder:
            notes.append(f"repo is {input_folder}; change it if your inputs are elsewhere")
        else:
            input_folder = "data"
            notes.append("repo is data, which does not exist; enter your folder")
    elif not (top / input_folder).is_dir():
        raise NotFound(f"--input {input_folder}: there is no such folder in this dataset")
    else:
        input_folder = input_folder.strip("/") or "."
    folder = package_files("tea_runner") / "templates" / template
    texts = {each.name: each.read_text(encoding="utf-8") for each in folder.iterdir()}
    ordered = {path: texts[path] for path in sorted(texts, key=lambda path: path != "spec.yml")}
    hints = {
        "per-file": "glob defines the datums: /* makes one of each entry of the folder",
        "per-subject": "glob defines the subjects' folders: /(sub-*)",
        "join": "the globs define which files belong together: the text that ( ) matches",
        "group": "the glob defines which files belong to a subject: the text that ( ) matches",
        "two-steps": "the second pipeline reads the results of the first",
        "container": "image is a container with its digest; enter yours",
    }
    notes.append(hints[template])
    notes.append(f"the command is in {name}/; replace it by yours")
    return fill_template(ordered, name=name, place=input_folder), notes


def _guess_input(top: Path) -> str:
    """The folder that most probably contains data; empty when there is none."""
    names = [
        path.name
        for path in sorted(top.iterdir())
        if path.is_dir()
        and not path.name.startswith(".")
        and path.name != "code"
        and not any((path / spec).exists() for spec in SPEC_NAMES)
    ]
    return next((name for name in _DATA if name in names), names[0] if len(names) == 1 else "")


def _from_record(session: OpenDataset, commit: str, home: str) -> tuple[dict[str, str], list[str]]:
    tip = session.tip(commit)
    message = session.clone.objects.commit(tip.tree.commit).message
    made_by = parse_trailers(message).get("Tea-Pipeline", "")
    pipeline = next((each for each in tip.pipelines if each.name == made_by), None)
    if pipeline is not None:
        raise UserError(
            f"commit {tip.tree.commit[:12]} is a result of pipeline {visible(pipeline.name)}",
            hint=f"its pipeline file is {visible(pipeline.spec_path)}; copy that one",
        )
    record = parse_record(message)
    if record is None:
        raise NotFound(
            f"commit {tip.tree.commit[:12]} has no run record",
            hint="git log --oneline --grep='DATALAD RUNCMD' lists commits that have one",
        )

    def look(path: str) -> Sequence[str] | None:
        entry = tip.tree.entry("" if path == "." else path)
        if entry is None:
            return None
        return list(tip.tree.objects.tree(entry.oid)) if entry.mode == TREE else ()

    return from_record(record, home=home.strip("/"), commit=tip.tree.commit, look=look)


def _write(session: OpenDataset, top: Path, written: dict[str, str]) -> None:
    """Write all files or none, with .gitattributes rules where they would be annexed."""
    there = [path for path in written if (top / path).exists() or (top / path).is_symlink()]
    if there:
        raise UserError(f"{there[0]} exists and is not overwritten", hint="choose another NAME")
    annexable = annexed(session.clone.repository, top, list(written))
    for path in sorted({path.rpartition("/")[0] for path in annexable}):
        rules = f"{path}/.gitattributes"
        if (top / rules).exists():
            continue
        mine = [each for each in written if each.rpartition("/")[0] == path]
        written[rules] = attributes(mine)
    for path, text in written.items():
        target = top / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
