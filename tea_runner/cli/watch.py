"""``tea-runner watch``: save files when they arrive, and run or push."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import open_dataset
from tea_runner.cli.options import json_option
from tea_runner.cli.post_commit_hooks import HOOK_WORDS, install_hooks, only_watch
from tea_runner.cli.watch_loop import WatchLoop
from tea_runner.core.errors import UsageError
from tea_runner.triggers.drop_folder import DropFolder


@click.command("watch")
@click.argument("word", default=".", metavar="[DIR|install]")
@click.option(
    "--import",
    "imports",
    multiple=True,
    metavar="FOLDER:DIR",
    help="Copy files that arrive in FOLDER, outside the dataset, into DIR of the dataset.",
)
@click.option(
    "--quiet-for",
    "quiet",
    type=click.FloatRange(0.1),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Save a file when it has not changed for this long.",
)
@click.option(
    "--push",
    "remote",
    is_flag=False,
    flag_value="origin",
    metavar="[SIBLING]",
    help="datalad push to a sibling (default: origin) instead of running here.",
)
@click.option("--save-only", is_flag=True, help="Save; neither run nor push.")
@click.option("--once", is_flag=True, help="Do what there is to do, and end.")
@click.option("--remove", is_flag=True, help="With install: take the hooks out again.")
@click.option(
    "--to",
    "place",
    type=click.Choice(["here", "slurm"]),
    default="here",
    show_default=True,
    help="With install: where a commit's jobs go; slurm submits them and no process waits.",
)
@click.option("-y", "--yes", is_flag=True, help="With install: do not ask.")
@json_option
@click.pass_obj
def command(
    context: Context,
    word: str,
    imports: tuple[str, ...],
    quiet: float,
    remote: str | None,
    save_only: bool,
    once: bool,
    remove: bool,
    place: str,
    yes: bool,
) -> None:
    """Save files when they arrive, and run or push.

    Watches the folders that inputs of pipelines in the dataset DIR name. A file is saved when it has
    not changed for a while; names that programs use while they write are left alone. Then the
    pipelines run here, as with tea-runner run, or the dataset is pushed.

    tea-runner watch install writes git hooks instead, so that each commit, such as that of datalad
    save, runs the pipelines in the background; the output is in .git/tea-runner/watch.log.
    With --to slurm, a commit submits its jobs to Slurm: tea-runner run --executor slurm --detach.
    """
    if word == "install":
        if imports or remote or save_only or once:
            raise UsageError("watch install takes no option of watching")
        install_hooks(context, remove=remove, yes=yes, to_slurm=place == "slurm")
        return
    if word in HOOK_WORDS:
        HOOK_WORDS[word](context, place == "slurm")
        return
    if place != "here":
        raise UsageError("--to is an option of watch install")
    if remove:
        raise UsageError("--remove is an option of watch install")
    if remote and save_only:
        raise UsageError("--push and --save-only cannot be combined")
    context = replace(context, directory=context.directory / word)
    clone = open_dataset(context).clone.clone
    state = clone.git_dir / "tea-runner"
    drops = []
    for number, each in enumerate(imports):
        source, colon, destination = each.rpartition(":")
        if not colon or not source:
            raise UsageError(f"--import {each}: expected FOLDER:DIR, such as /incoming:raw")
        drop = DropFolder(
            source=(Path.cwd() / source).resolve(),
            worktree=clone.worktree,
            destination=destination.rstrip("/"),
            state=state / f"imported-{number}.json",
        )
        drops.append(drop)
    program = [sys.executable, "-m", "tea_runner"]
    follow = [*program, "run", "-y"]
    if remote:
        follow = ["datalad", "push", "--to", remote]
    loop = WatchLoop(context=context, drops=drops, quiet=quiet, follow=[] if save_only else follow)
    with only_watch(state):
        loop.run(once=once)
