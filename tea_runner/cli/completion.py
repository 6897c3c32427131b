"""``tea-runner completion``: completion scripts for shells."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

import tea_runner.cli.bash_completion  # noqa: F401 - bash, with colons in words
from tea_runner.cli.main import cli


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: tea-runner completion bash > ~/.local/share/bash-completion/completions/tea-runner
    zsh:  tea-runner completion zsh > _tea-runner   (in a folder of $fpath)
    fish: tea-runner completion fish > ~/.config/fish/completions/tea-runner.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(cli, {}, "tea-runner", "_TEA_RUNNER_COMPLETE")
    # source() would run this machine's shell for its version; the script may be for another one.
    click.echo(made.source_template % made.source_vars())
