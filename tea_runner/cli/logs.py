"""``tea-runner logs``: what a job printed."""

from __future__ import annotations

import codecs
import json
import sys
import time
from collections.abc import Callable

import click

from tea_runner.cli.find_runs import need_job
from tea_runner.cli.main import Context
from tea_runner.present.visible_text import visible_lines

_PAUSE = 0.5


@click.command("logs")
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option("--raw", is_flag=True, help="The bytes as they were printed, colours and all.")
@click.pass_obj
def command(context: Context, job: str, follow: bool, raw: bool) -> None:
    """Print a job's log. What a terminal would obey is shown as an escape, such as \\x1b."""
    facts = need_job(context, job)
    reader = context.site.log(facts.id)
    if context.as_json:
        data = b"".join(reader.read(0, reader.size()))
        document = {"job": facts.id, "state": facts.state, "log": data.decode("utf-8", "replace")}
        click.echo(json.dumps(document, indent=1))
        return
    if facts.state == "waiting" and not context.quiet:
        click.echo("It has not begun yet.", err=True)
    write: Callable[[bytes], None] = _write_raw if raw else _writer()
    while True:
        # The state first: what was printed before the end is read after it.
        facts = need_job(context, facts.id)
        while piece := reader.more():
            write(piece)
        if not follow or facts.state not in ("waiting", "running"):
            break
        time.sleep(_PAUSE)
    if follow and facts.state not in ("waiting", "running") and not context.quiet:
        click.echo(
            f"{facts.state}{': ' + visible_lines(facts.error) if facts.error else ''}", err=True
        )


def _write_raw(piece: bytes) -> None:
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _writer() -> Callable[[bytes], None]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    held = ""

    def write(piece: bytes) -> None:
        nonlocal held
        text = held + decoder.decode(piece)
        # Half of a line end: the other half may be in the next piece.
        held = "\r" if text.endswith("\r") else ""
        click.echo(visible_lines(text.removesuffix("\r")), nl=False)

    return write
