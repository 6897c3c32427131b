"""Generator of ``docs/reference/cli.md``.

Run ``python -m tea_runner.cli.cli_reference >docs/reference/cli.md``; a test compares the page.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from tea_runner.cli.main import cli

_HEAD = """\
# Commands

<!-- Generated from tea_runner/cli/ by tea_runner/cli/cli_reference.py; a test compares it. -->

`tea-runner [OPTIONS] COMMAND [ARGS]…`

Exit codes: 0 done or nothing to do, 1 failed, 2 wrong usage, 3 a bug in tea-runner (with a file to report),
4 work to do (`plan --exit-code`, `status --exit-code`), 130 interrupted, 143 terminated.
Results go to standard output; messages and progress go to standard error.
"""


def reference() -> str:
    """The page as Markdown."""
    context = click.Context(cli, info_name="tea-runner")
    parts = [_HEAD, _options(cli, context)]
    for path, command, inner in _commands(cli, context, "tea-runner"):
        usage = " ".join([path, *command.collect_usage_pieces(inner)])
        parts.append(f"## `{path}`\n")
        parts.append(f"`{usage}`\n")
        parts.append(_words(command))
        options = _options(command, inner)
        if options:
            parts.append(options)
    return "\n".join(parts)


def _commands(
    group: click.Group, context: click.Context, path: str
) -> Iterator[tuple[str, click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield f"{path} {name}", command, inner
        if isinstance(command, click.Group):
            yield from _commands(command, inner, f"{path} {name}")


def _words(command: click.Command) -> str:
    """The help text as Markdown; paragraphs that click does not wrap become code blocks."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    shown = []
    for paragraph in paragraphs:
        if paragraph.startswith("\b"):
            shown.append("```\n" + paragraph.removeprefix("\b").strip("\n") + "\n```")
        else:
            shown.append(paragraph.replace("*", "\\*"))
    return "\n\n".join(shown) + "\n"


def _options(command: click.Command, context: click.Context) -> str:
    rows = [
        record
        for option in command.params
        if isinstance(option, click.Option) and (record := option.get_help_record(context))
    ]
    if not rows:
        return ""
    lines = ["| Option | Meaning |", "| --- | --- |"]
    lines += [
        f"| `{names.replace('|', chr(92) + '|')}` | {_cell(words)} |" for names, words in rows
    ]
    return "\n".join(lines) + "\n"


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("*", "\\*")


if __name__ == "__main__":
    click.echo(reference(), nl=False)
