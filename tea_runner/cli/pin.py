"""``tea-runner pin``: write the digests that the tags of images have now into pipeline files."""

from __future__ import annotations

import json

import click

from tea_runner.cli import complete_names
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import check_pipelines
from tea_runner.cli.open_unsaved_dataset import open_draft
from tea_runner.cli.options import json_option
from tea_runner.core.errors import Refused, UsageError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.spec.datalad_containers import image_digest
from tea_runner.core.spec.edit_value import replace_text
from tea_runner.core.spec.image_reference import parse_image
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.resolve_image import resolve_image


@click.command("pin")
@click.argument("pipelines", nargs=-1, shell_complete=complete_names.pipelines)
@click.option("-n", "--dry-run", is_flag=True, help="Show the digests; write nothing.")
@json_option
@click.pass_obj
def command(context: Context, pipelines: tuple[str, ...], dry_run: bool) -> int:
    """Write the digests of images into pipeline files.

    An image name:tag becomes name:tag@sha256:… with the digest that the tag has now. Keys do not
    change, so nothing runs again. Save the files afterwards.
    """
    if not context.directory.is_dir():
        raise UsageError(f"there is no directory {context.directory}")
    found: dict[str, str] = {}
    with open_draft(context) as draft:
        check_pipelines(draft.view, pipelines)
        for pipeline in draft.view.pipelines.written:
            if pipelines and pipeline.name not in pipelines:
                continue
            image = _pinned(draft.view, pipeline)
            if not image:
                continue
            found[pipeline.name] = image
            if not context.as_json:
                click.echo(f"{pipeline.spec_path}: {image}")
            if not dry_run:
                path = draft.top / pipeline.spec_path
                at = pipeline.spec_document
                data = replace_text(path.read_bytes(), at, "transform.image", image)
                if data is None:
                    raise Refused(
                        f"{pipeline.spec_path}: image is written in a way that cannot be replaced",
                        hint=f"write image: {image}",
                    )
                path.write_bytes(data)
    if context.as_json:
        click.echo(json.dumps({"images": found, "written": not dry_run}, indent=1))
    elif not found:
        click.echo("Every image has its digest.")
    elif not dry_run:
        click.echo(f"{len(found)} written; save with: datalad save -m 'Pin images'")
    return 0


def _pinned(tip: CommitReader, pipeline: Pipeline) -> str:
    """The image with its digest; empty if it has one, or needs none."""
    pinned = resolve_image(tip, pipeline).transform
    if not pinned.image_tag:
        return ""
    written = parse_image(pinned.image_tag)
    found = parse_image(pinned.image)
    if written is not None and found is not None and written.name == found.name:
        # The tag stays for people.
        return f"{pinned.image_tag}@{image_digest(pinned.image)}"
    return pinned.image
