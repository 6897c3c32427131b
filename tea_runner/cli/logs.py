"""``tea-runner logs``: the log of a job."""

from __future__ import annotations

import codecs
import json
import sys
import time
from collections.abc import Callable

import click

from tea_runner.cli.find_runs import need_job
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.present.visible_text import visible_lines

_PAUSE = 0.5


@click.command("logs")
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Follow the log until the job ends.")
@click.option("--raw", is_flag=True, help="Print the raw bytes, with control characters.")
@json_option
@click.pass_obj
def command(context: Context, job: str, follow: bool, raw: bool) -> None:
    """Print a job's log.

    Control characters are shown as escapes such as \\x1b.
    """
    facts = need_job(context, job)
    reader = context.site.log(facts.id)
    if context.as_json:
        data = b"".join(reader.read(0, reader.size()))
        document = {"job": facts.id, "state": facts.state, "log": data.decode("utf-8", "replace")}
        click.echo(json.dumps(document, indent=1))
        return
    if facts.state == "waiting" and not context.quiet:
        click.echo("The job has not started yet.", err=True)
    write: Callable[[bytes], None] = _write_raw if raw else _writer()
    while True:
        # State first, log second: output before the end of the job is not missed.
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
        # A carriage return may be the first half of a line end.
        held = "\r" if text.endswith("\r") else ""
        click.echo(visible_lines(text.removesuffix("\r")), nl=False)

    return write
