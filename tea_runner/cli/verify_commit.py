"""``tea-runner verify-commit``: check signature and content of a results commit."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import OpenDataset, open_dataset
from tea_runner.cli.option_setting_help import named
from tea_runner.cli.options import json_option
from tea_runner.core.errors import Refused, UsageError
from tea_runner.core.git.commit_signature import split_signature
from tea_runner.dataset.ssh_signature import check_signature
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.signed_manifest_rows import manifest_signer
from tea_runner.flow.verify_results_commit import check_commit


@click.command("verify-commit")
@click.argument("commit", default="HEAD")
@click.option(
    "--signers",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="List of accepted signers in the format of ssh-keygen(1), ALLOWED SIGNERS, outside of "
    f"the dataset ({named('bot.allowed_signers')}).",
)
@click.option("--unsigned", is_flag=True, help="Do not require a signature.")
@json_option
@click.pass_obj
def command(context: Context, commit: str, signers: Path | None, unsigned: bool) -> int:
    """Check signature, keys and outputs of a results commit.

    The commit is built again from its parent and its outputs and compared: any manual edit is
    detected. No server is needed. The exit code is 1 when there is a problem.
    """
    session = open_dataset(context)
    try:
        return _check(context, session, commit, signers, unsigned)
    finally:
        session.clone.close()


def _check(
    context: Context, session: OpenDataset, commit: str, signers: Path | None, unsigned: bool
) -> int:
    tip = session.results_tip(commit)
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
    manifest_by = _manifest_signer(session, tip, verdict.pipeline)
    if not unsigned and session.clone.requires_signatures and not manifest_by:
        problems.append("no trusted signature covers its manifest; see tea-runner trust show")
    if context.as_json:
        document = {
            "commit": tip.tree.commit,
            "pipeline": verdict.pipeline,
            "signer": who,
            "manifest_signer": manifest_by,
            "datums": verdict.datums,
            "outputs": verdict.outputs,
            "problems": problems,
        }
        click.echo(json.dumps(document, indent=1))
        return 1 if problems else 0
    for problem in problems:
        click.echo(f"verify({tip.tree.commit[:12]}): {problem}", err=True)
    if problems:
        return 1
    signed = f", signed by {who}" if who else ""
    signed += f"; its manifest is proven by {manifest_by}" if manifest_by else ""
    click.echo(
        f"ok: {tip.tree.commit[:12]} is the result of pipeline {verdict.pipeline}: {verdict.datums} datums, "
        f"{verdict.outputs} outputs{signed}"
    )
    return 0


def _manifest_signer(session: OpenDataset, tip: CommitReader, name: str) -> str:
    """The trusted signer of the manifest of a commit's pipeline; empty without one."""
    pipeline = next((each for each in tip.pipelines if each.name == name), None)
    return manifest_signer(session.clone, tip.tree, pipeline.home) if pipeline is not None else ""


def _signer(context: Context, raw: bytes, signers: Path | None, worktree: Path) -> str:
    signers = signers or context.settings.bot.allowed_signers
    if signers is None:
        raise UsageError(
            "no list of signers is set",
            hint="name one with --signers or bot.allowed_signers, or use --unsigned",
        )
    if not signers.is_file():
        raise UsageError(f"--signers {signers}: there is no such file")
    if signers.resolve().is_relative_to(worktree.resolve()):
        raise UsageError(
            f"--signers {signers} is in the dataset, where everybody who can push can change it",
            hint="keep it elsewhere",
        )
    payload, signature = split_signature(raw)
    if signature is None:
        raise Refused("the commit is not signed")
    return check_signature(payload, signature, signers, context.variables)
