"""``tea-runner trust``: the keys that sign results, and results without a trusted signature."""

from __future__ import annotations

import json

import click

from tea_runner.cli import complete_names
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import open_dataset
from tea_runner.cli.options import at_option, json_option
from tea_runner.core.errors import NotFound, Refused
from tea_runner.core.results.run_conditions import ReuseRule
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.dataset.signing_keys import signing_key
from tea_runner.flow.commit_reader import CommitReader, open_commit
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.read_manifest_statement import read_manifest_statement
from tea_runner.flow.reuse_rule import Acceptance, reuse_rule
from tea_runner.flow.sign_existing_results import (
    AdoptablePipeline,
    adoptable_results,
    sign_existing_results,
)
from tea_runner.flow.signed_manifest_rows import manifest_signer, unproven_datums
from tea_runner.present.visible_text import visible


@click.group("trust")
def command() -> None:
    """Show and rotate keys; sign results that have no signature.

    A result counts only if a key signed it that is trusted: the one of this installation, or one in the
    setting trusted_signers.
    """


@command.command("key")
@json_option
@click.pass_obj
def key(context: Context) -> None:
    """Print the public key of this installation; it is made where there is none.

    Others add the line to their setting trusted_signers.
    """
    own = context.site.results_keys.own
    if context.as_json:
        click.echo(json.dumps({"fingerprint": own.fingerprint, "key": own.line}, indent=1))
    else:
        click.echo(own.line)


@command.command("rotate")
@json_option
@click.pass_obj
def rotate(context: Context) -> None:
    """Replace the key of this installation by a new one.

    What the former key signed stays valid. If that key was stolen, delete its line from the file
    results_key.former beside the key.
    """
    new = context.site.results_keys.rotate()
    if context.as_json:
        click.echo(json.dumps({"fingerprint": new.fingerprint, "key": new.line}, indent=1))
    else:
        click.echo(new.line)


@command.command("forget")
@click.argument("fingerprint")
@json_option
@click.pass_obj
def forget(context: Context, fingerprint: str) -> None:
    """Forget the key of a planner that does not exist any more."""
    context.site.planner_keys.forget(fingerprint)
    if context.as_json:
        click.echo(json.dumps({"forgotten": fingerprint}))


@command.command("show")
@at_option
@json_option
@click.pass_obj
def show(context: Context, at: str) -> None:
    """Show who signed the results of this dataset, and how many count."""
    session = open_dataset(context)
    tip = session.results_tip(at)
    rows = [_row(session.clone, tip, home) for home in _homes(tip)]
    if context.as_json:
        trusted = [key.line for key in context.site.results_keys.trusted.values()]
        click.echo(json.dumps({"pipelines": rows, "trusted": trusted}, indent=1))
        return
    for row in rows:
        signer = row["signer"] or (row["key"] and f"{row['key']}, which is not trusted") or "no key"
        counted = f"{row['proven']} of {row['results']} results count"
        click.echo(visible(f"{row['pipeline']}: {counted}; signed by {signer}"))
    if any(row["proven"] != row["results"] for row in rows):
        click.echo(
            "Results that do not count are computed again. If you know that a signer's fingerprint is right, "
            "list the key in trusted_signers; or sign the results yourself: tea-runner trust adopt"
        )
    for line in sorted({str(row["line"]) for row in rows if row["line"] and not row["signer"]}):
        click.echo(f"  trusted_signers = [{json.dumps(line)}]")


@command.command("adopt")
@click.argument(
    "repository", required=False, metavar="[OWNER/NAME]", shell_complete=complete_names.repositories
)
@click.option("--branch", default="", help="Branch; by default the one checked out, or main.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def adopt(context: Context, repository: str | None, branch: str, yes: bool) -> int:
    """Sign results that have no trusted signature, of this dataset or of a repository on the forge.

    You vouch for them: look at the history of the branch first. A result is signed if its key is the one
    that its inputs make now, and all of its outputs are in the tree. The others are computed again.
    """
    dataset: GitDataset
    if repository is None:
        session = open_dataset(context)
        dataset, branch = session.clone, session.clone.clone.head()
    else:
        dataset = context.site.repository(repository)
        dataset.refresh()
        branch = branch or "main"
    try:
        return _adopt(context, dataset, branch, yes=yes)
    finally:
        dataset.close()


def _adopt(context: Context, dataset: GitDataset, branch: str, *, yes: bool) -> int:
    if not dataset.requires_signatures:
        raise Refused(
            "results count without a signature here (trust.unsigned)",
            hint="set trust.unsigned to false first",
        )
    if dataset.scope(branch):
        raise Refused(
            f"branch {branch} is not trusted, so that its results cannot be adopted",
            hint="merge it into a trusted branch, or list it in trusted_branches",
        )
    found = _adoptable(dataset, branch)
    for each in found:
        click.echo(
            visible(
                f"{each.pipeline.name}: {len(each.adopted)} results are as their inputs and the tree say; "
                f"{len(each.stale)} are of other inputs, {len(each.incomplete)} lack outputs"
            ),
            err=context.as_json,
        )
    if not any(each.adopted for each in found):
        click.echo("Nothing can be adopted.", err=context.as_json)
        return 0
    if not yes and not click.confirm(
        "Sign these results with the key of this installation?", err=True
    ):
        return 1
    commits = []
    for each in found:
        if each.adopted:
            tip = _open(dataset, branch)
            commit = sign_existing_results(dataset, branch, tip, each, who=context.site.author)
            if commit is None:
                raise Refused(f"branch {branch} has moved meanwhile", hint="run it again")
            commits.append(commit)
    if context.as_json:
        click.echo(json.dumps({"commits": commits}, indent=1))
    else:
        click.echo(
            f"Signed {sum(len(each.adopted) for each in found)} results in {len(commits)} commits."
        )
    return 0


def _adoptable(dataset: GitDataset, branch: str) -> list[AdoptablePipeline]:
    tip = _open(dataset, branch)
    found = []
    for pipeline in tip.pipelines.ordered:
        manifest = read_manifest(tip.tree, pipeline.home)
        rule = reuse_rule(pipeline, reader="trusted", reuse_branches=False)
        accepts = Acceptance(rule=rule)
        unproven = unproven_datums(dataset, tip.tree, pipeline.home, manifest, "", accepts)
        if unproven:
            found.append(adoptable_results(tip, pipeline, unproven))
    return found


def _open(dataset: GitDataset, branch: str) -> CommitReader:
    commit = dataset.tip(branch)
    if commit is None:
        raise NotFound(f"{dataset.name} has no branch {branch}")
    return open_commit(dataset.objects, commit, PlanningCache(), subdatasets=dataset.subdatasets)


def _homes(tip: CommitReader) -> dict[str, str]:
    """Name to home of each pipeline."""
    return {pipeline.name: pipeline.home for pipeline in tip.pipelines}


def _row(dataset: GitDataset, tip: CommitReader, name: str) -> dict[str, object]:
    home = _homes(tip)[name]
    manifest = read_manifest(tip.tree, home)
    accepts = Acceptance(rule=ReuseRule())
    unproven = unproven_datums(dataset, tip.tree, home, manifest, "", accepts)
    found = read_manifest_statement(tip.tree, home)
    signed = signing_key(found.signature) if found is not None else None
    return {
        "pipeline": name,
        "results": manifest.count,
        "proven": manifest.count - len(unproven),
        "signer": manifest_signer(dataset, tip.tree, home),
        "key": signed.fingerprint if signed is not None else "",
        "line": signed.line if signed is not None else "",
        "repository": found.statement.repository if found is not None else "",
    }
