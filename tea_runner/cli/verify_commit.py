"""``tea-runner verify-commit``: whether a results commit is signed, and is what its inputs make."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import OpenDataset, open_dataset
from tea_runner.core.errors import Refused, UsageError
from tea_runner.core.git.commit_signature import split_signature
from tea_runner.dataset.ssh_signature import check_signature
from tea_runner.flow.check_commit import check_commit


@click.command("verify-commit")
@click.argument("commit", default="HEAD")
@click.option(
    "--signers",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Whose signatures count: a list as ssh-keygen(1) describes it under ALLOWED "
    "SIGNERS, kept outside of the dataset (bot.allowed_signers).",
)
@click.option("--unsigned", is_flag=True, help="Do not ask for a signature.")
@click.pass_obj
def command(context: Context, commit: str, signers: Path | None, unsigned: bool) -> int:
    """Check a results commit without any server: signature, keys, record, outputs.

    The commit is made again from the commit it builds on and from its own outputs; everything that
    was changed by hand gives another one. Ends with 1 when something is wrong.
    """
    session = open_dataset(context)
    try:
        return _check(context, session, commit, signers, unsigned)
    finally:
        session.clone.close()


def _check(
    context: Context, session: OpenDataset, commit: str, signers: Path | None, unsigned: bool
) -> int:
    tip = session.tip(commit)
    found = session.clone.objects.read(tip.tree.commit)
    raw = found[1] if found else b""
    problems = []
    who = ""
    if not unsigned:
        try:
            who = _signer(context, raw, signers, session.clone.clone.worktree)
        except Refused as error:
            problems.append(error.message)
    verdict = check_commit(session.clone, tip.tree.commit, raw, links=session.clone.subdatasets)
    problems += verdict.problems
    if context.as_json:
        said = {
            "commit": tip.tree.commit,
            "pipeline": verdict.pipeline,
            "signer": who,
            "datums": verdict.datums,
            "outputs": verdict.outputs,
            "problems": problems,
        }
        click.echo(json.dumps(said, indent=1))
        return 1 if problems else 0
    for problem in problems:
        click.echo(f"verify({tip.tree.commit[:12]}): {problem}", err=True)
    if problems:
        return 1
    signed = f", signed by {who}" if who else ""
    click.echo(
        f"ok: {tip.tree.commit[:12]} is what pipeline {verdict.pipeline} makes: {verdict.datums} datums, "
        f"{verdict.outputs} outputs{signed}"
    )
    return 0


def _signer(context: Context, raw: bytes, signers: Path | None, worktree: Path) -> str:
    signers = signers or context.settings.bot.allowed_signers
    if signers is None:
        raise UsageError(
            "whose signatures count? name a list with --signers or bot.allowed_signers, "
            "or ask for none with --unsigned"
        )
    if not signers.is_file():
        raise UsageError(f"--signers {signers}: there is no such file")
    if signers.resolve().is_relative_to(worktree.resolve()):
        raise UsageError(
            f"--signers {signers} lies in the dataset, where whoever may push may change it; "
            f"keep it elsewhere"
        )
    payload, signature = split_signature(raw)
    if signature is None:
        raise Refused("it is not signed")
    return check_signature(payload, signature, signers, context.variables)
