"""The command line: global options, verbs, error messages and exit codes.

Exit codes: 0 done or nothing to do, 1 failed, 2 wrong usage, 3 a bug in tea-runner, 4 work to do
(``plan --exit-code``), 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from click.core import ParameterSource

from tea_runner import __version__
from tea_runner.cli.option_setting_help import named
from tea_runner.cli.verbs import ALIASES, ASK_IF_TYPED, ASK_SERVER, GROUPS, SHORT_HELP, VERBS
from tea_runner.core.errors import TeaError, UsageError

#: Errors of the operating system that are no bugs: rights, and file systems that are full or read-only.
_MACHINE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)

# Help and completion are asked for at each key: what only a verb needs is imported where it is used.
if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tea_runner.cli.server_client import ServerClient
    from tea_runner.host.structured_log import LogFormat
    from tea_runner.settings import Settings
    from tea_runner.wiring import Site


@dataclass(frozen=True)
class Context:
    """Directory, settings and output options of one call of the command line.

    :param flags: values of ``-c`` by the setting's name; they override the settings file.
    :param server_url: the server whose API verbs about runs ask; empty for Redis itself.
    :param beside: whether the server in the state folder lends its forge to a call without one.
    """

    directory: Path
    config: Path | None
    flags: Mapping[str, object]
    variables: Mapping[str, str]
    as_json: bool = False
    quiet: bool = False
    beside: bool = True
    server_url: str = ""

    @cached_property
    def server(self) -> ServerClient | None:
        """The server of ``--server``; None without one.

        :raises UsageError: when it is no URL, or no token is set.
        """
        if not self.server_url:
            return None
        from tea_runner.cli.server_client import ServerClient

        return ServerClient(self.server_url, self.variables)

    def with_flags(self, flags: Mapping[str, object]) -> Context:
        """A copy with more flags."""
        return replace(self, flags={**self.flags, **flags})

    @cached_property
    def settings(self) -> Settings:
        """The settings, from file, variables and flags; the log has their format from now on."""
        from functools import partial

        from tea_runner.cli.running_server_settings import settings_of_server
        from tea_runner.host.structured_log import configure_logging
        from tea_runner.settings import load_settings

        load = partial(load_settings, file=self.config, env=self.variables, flags=self.flags)
        settings = load()
        if self.beside and settings.source("forge.url") == "default":
            lent = settings_of_server(settings.state.expanduser())
            settings = load(server=lent) if lent else settings
        configure_logging(settings.log.format)
        return settings

    @cached_property
    def site(self) -> Site:
        """The parts of this process."""
        from tea_runner.wiring import Site

        return Site(self.settings, self.variables)


class Verbs(click.Group):
    """The verbs; the module of a verb is imported when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        name = ALIASES.get(name, name)
        if name not in VERBS:
            return None
        module = importlib.import_module(f"tea_runner.cli.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in (*VERBS, *ALIASES):
            import difflib

            near = difflib.get_close_matches(name, VERBS, 1)
            hint = f"; did you mean {near[0]}?" if near else "; see tea-runner --help"
            raise UsageError(f"there is no command {name}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        width = max(map(len, VERBS))
        for title, verbs in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), words) for name, words in verbs.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        verbs = [
            CompletionItem(name, help=words)
            for name, words in SHORT_HELP.items()
            if name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)


def _complete_settings(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    names = importlib.import_module("tea_runner.cli.complete_names")
    found: list[CompletionItem] = names.settings_to_set(ctx, param, incomplete)
    return found


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tea-runner")
@click.option(
    "-C",
    "directory",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Run as if started in DIR.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings file (TEA_RUNNER_CONFIG).",
)
@click.option(
    "-c",
    "flags",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=_complete_settings,
    help="Set one setting, such as -c web.port=8080.",
)
@click.option(
    "--server",
    metavar="URL",
    default="",
    envvar="TEA_RUNNER_SERVER",
    help="Ask this server about runs, without Redis (TEA_RUNNER_SERVER).",
)
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print only results and errors.")
@click.option("-v", "--verbose", is_flag=True, help="Also log what goes well.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default=None,
    help=f"Format of log lines on stderr ({named('log.format')}).",
)
@click.pass_context
def cli(
    ctx: click.Context,
    directory: Path,
    config: Path | None,
    flags: tuple[str, ...],
    server: str,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    log_format: LogFormat | None,
) -> None:
    """Run data pipelines on DataLad datasets: push data, get a results commit back."""
    import logging

    from tea_runner.host.gc_tuning import raise_gc_thresholds
    from tea_runner.host.structured_log import configure_logging

    raise_gc_thresholds()
    values: dict[str, object] = {}
    for flag in flags:
        name, equals, value = flag.partition("=")
        if not equals:
            raise UsageError(f"-c {flag}: expected NAME=VALUE, such as -c web.port=8080")
        values[name] = value
    verb = ctx.invoked_subcommand or ""
    is_typed = ctx.get_parameter_source("server") is ParameterSource.COMMANDLINE
    if is_typed and ALIASES.get(verb, verb) not in ASK_SERVER:
        asking = ", ".join(name for name in VERBS if name in ASK_SERVER)
        raise UsageError(f"--server: {verb} asks no server; {asking} do")
    if log_format:
        values["log.format"] = log_format
    configure_logging(log_format or "text", logging.INFO if verbose else logging.WARNING)
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False
    ctx.obj = Context(
        directory=directory,
        config=config,
        flags=values,
        variables=dict(os.environ),
        as_json=as_json,
        quiet=quiet,
        server_url=server if is_typed or verb not in ASK_IF_TYPED else "",
    )


class Terminated(KeyboardInterrupt):
    """A signal asked this process to end; what it began is cleaned up as after Ctrl-C."""


def _terminate(signum: int, frame: object) -> None:  # noqa: ARG001
    raise Terminated


def main() -> None:
    """Run the command line; turn errors into messages and exit codes."""
    signal.signal(signal.SIGTERM, _terminate)
    if "_TEA_RUNNER_COMPLETE" in os.environ:
        importlib.import_module("tea_runner.cli.bash_completion")
    try:
        code = cli.main(prog_name="tea-runner", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        verb = error.ctx.command_path if error.ctx is not None else "tea-runner"
        message = error.format_message().rstrip(".")
        _fail(f"{message}; see {verb} --help", 2, hint=f"see {verb} --help", problem=message)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except (click.Abort, KeyboardInterrupt) as error:
        terminated = isinstance(error, Terminated) or isinstance(error.__cause__, Terminated)
        _fail("terminated" if terminated else "interrupted", 143 if terminated else 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except TeaError as error:
        _fail(error.message, error.exit_code, hint=error.hint, problem=error.problem)
    except OSError as error:
        if error.errno not in _MACHINE or not error.filename:
            _report_bug()
            sys.exit(3)
        _fail(f"{error.filename}: {error.strerror}", 1)
    except Exception:
        _report_bug()
        sys.exit(3)


def _fail(message: str, code: int, *, hint: str = "", problem: str = "") -> NoReturn:
    """Tell an error, as JSON where JSON was asked for, and end the process."""
    if _wants_json(sys.argv[1:]):
        import json

        error = {"error": problem or message, "hint": hint, "exit_code": code}
        click.echo(json.dumps(error, indent=1))
    else:
        click.echo(f"tea-runner: {message}", err=True)
    sys.exit(code)


def _wants_json(words: Sequence[str]) -> bool:
    """Whether the option is on the command line, which may be one that cannot be parsed."""
    return "--json" in words[: words.index("--") if "--" in words else None]


def _report_bug() -> None:
    import platform
    import tempfile
    import traceback

    text = (
        f"tea-runner {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"command: {' '.join(sys.argv[1:])}\n\n{traceback.format_exc()}"
    )
    with tempfile.NamedTemporaryFile(
        "w", prefix="tea-runner-bug-", suffix=".txt", delete=False
    ) as file:
        file.write(text)
    last = traceback.format_exc().strip().splitlines()[-1]
    hint = f"Please report it with the file {file.name}"
    if _wants_json(sys.argv[1:]):
        _fail("", 3, hint=hint, problem=f"a bug in tea-runner: {last}")
    click.echo(f"tea-runner: a bug in tea-runner: {last}\n{hint}", err=True)


if __name__ == "__main__":
    main()
