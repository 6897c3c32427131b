"""Git hooks of a clone that run the pipelines after each commit."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import open_dataset
from tea_runner.cli.watch_loop import WATCHING
from tea_runner.core.errors import OutsideError, UserError
from tea_runner.host import process
from tea_runner.present.visible_text import visible

#: githooks(5): after a commit, and after a merge or pull.
HOOKS = ("post-commit", "post-merge")
_MARK = "# tea-runner watch install"
_SHELLS = ("sh", "bash", "dash", "ksh", "zsh")
#: Names in ``.git/tea-runner``.
_LOCK, _AGAIN, LOG = "watch.lock", "watch.again", "watch.log"
_PROGRAM = (os.path.abspath(sys.executable), "-m", "tea_runner")
#: Bytes of the log; what is older is deleted.
_MOST_LOG = 4 << 20


def install_hooks(context: Context, *, remove: bool, yes: bool, to_slurm: bool) -> None:
    """Write the hooks, or take them out.

    A hook that is there keeps its text; one line is added at its end.

    :param to_slurm: whether the jobs of a commit are submitted to Slurm, and no process waits for them.
    :raises UserError: when a hook that is there is no shell script.
    """
    clone = open_dataset(context).clone.clone
    raw = clone.git("rev-parse", "--path-format=absolute", "--git-path", "hooks")
    folder = Path(os.fsdecode(raw.rstrip(b"\n")))
    words = [*_PROGRAM, "watch", "after-commit", *_place(to_slurm)]
    line = f'[ -n "${WATCHING}" ] || {shlex.join(words)} {_MARK}\n'
    for name in HOOKS:
        hook = folder / name
        text = hook.read_text(errors="surrogateescape") if hook.exists() else ""
        kept = "".join(row for row in text.splitlines(keepends=True) if _MARK not in row)
        if remove:
            new = "" if kept.strip() in ("", "#!/bin/sh") else kept
        else:
            new = (_extended(hook, kept, yes=yes) if kept.strip() else "#!/bin/sh\n") + line
        if new == text:
            click.echo(f"{visible(str(hook))}: nothing to change")
        elif not new:
            hook.unlink()
            click.echo(f"{visible(str(hook))}: removed")
        else:
            _write(hook, new)
            click.echo(f"{visible(str(hook))}: {'line removed' if remove else 'written'}")
    if not remove:
        log = clone.git_dir / "tea-runner" / LOG
        does = "submits the pipelines to Slurm" if to_slurm else "runs the pipelines"
        click.echo(f"Each commit {does} now; the output goes to {visible(str(log))}")


def _place(to_slurm: bool) -> list[str]:
    return ["--to", "slurm"] if to_slurm else []


def _extended(hook: Path, text: str, *, yes: bool) -> str:
    """The text of a hook that is there, ready for one more line."""
    first = text.split("\n", 1)[0]
    shell = first.removeprefix("#!").split()
    if not first.startswith("#!") or os.path.basename(shell[-1] if shell else "") not in _SHELLS:
        raise UserError(
            f"{hook} is there and no shell script",
            hint="let it call: tea-runner watch after-commit",
        )
    if not yes:
        click.confirm(f"{hook} is there; add a line at its end?", default=True, abort=True)
    return text if text.endswith("\n") else text + "\n"


def _write(hook: Path, text: str) -> None:
    hook.parent.mkdir(parents=True, exist_ok=True)
    new = hook.with_name(hook.name + ".tea-new")
    new.write_text(text, errors="surrogateescape")
    new.chmod(0o755)
    os.replace(new, hook)


def _after_commit(context: Context, to_slurm: bool) -> None:
    """Start the pipelines in the background; git waits for this, but not for them."""
    clone = open_dataset(context).clone.clone
    state = clone.git_dir / "tea-runner"
    state.mkdir(parents=True, exist_ok=True)
    (state / _AGAIN).touch()
    log = state / LOG
    too_long = log.exists() and log.stat().st_size > _MOST_LOG
    with log.open("wb" if too_long else "ab") as output:
        process.start_process(
            [*_PROGRAM, "watch", "in-background", *_place(to_slurm)],
            env=clone.environment.variables,
            cwd=clone.worktree,
            stdout=output,
            stderr=output,
        )


def _in_background(context: Context, to_slurm: bool) -> None:
    """Run the pipelines until no commit has come meanwhile; at once if another process does that."""
    clone = open_dataset(context).clone.clone
    state = clone.git_dir / "tea-runner"
    env = {**clone.environment.variables, WATCHING: "1"}
    while (state / _AGAIN).exists():
        # Whoever holds the lock looks for the mark again once the lock is released.
        try:
            with only_watch(state):
                while (state / _AGAIN).exists():
                    (state / _AGAIN).unlink(missing_ok=True)
                    click.echo(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}: a commit came")
                    sys.stdout.flush()
                    argv = [*_PROGRAM, "run", "-y"]
                    argv += ["--executor", "slurm", "--detach"] if to_slurm else []
                    running = process.start_process(
                        argv, env=env, cwd=clone.worktree, stdout=1, stderr=2
                    )
                    running.wait()
        except OutsideError:
            return


#: What hooks call, and what that starts.
HOOK_WORDS = {"after-commit": _after_commit, "in-background": _in_background}


@contextlib.contextmanager
def only_watch(state: Path) -> Iterator[None]:
    """Lock against another watch of the clone; the kernel releases the lock.

    :raises OutsideError: when another one holds it.
    """
    state.mkdir(parents=True, exist_ok=True)
    with (state / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutsideError(
                f"{state / _LOCK}: another tea-runner watches this dataset",
                hint="end it first, or take the hooks out: tea-runner watch install --remove",
            ) from error
        yield
