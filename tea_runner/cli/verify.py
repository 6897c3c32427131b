"""``tea-runner verify``: compute datums again in scratch and compare; nothing is written."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from tea_runner.cli.exec import bench, environment_for
from tea_runner.cli.main import Context
from tea_runner.cli.open_dataset import OpenDataset, open_dataset, told
from tea_runner.cli.options import at_option, json_option
from tea_runner.core.datums.content_identity import GIT, HASHLIB
from tea_runner.core.errors import JobError, NotFound, UserError
from tea_runner.core.git.tree import EXECUTABLE, LINK
from tea_runner.core.planning.recompute_verdict import Outcome, RecomputeVerdict, differing_datums
from tea_runner.core.results.manifest import Row
from tea_runner.dataset.reproducibility_ledger import ReproducibilityLedger
from tea_runner.dataset.save_outputs import FileToSave
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.pipeline_inputs import PipelineInputs, derive_inputs
from tea_runner.host.openat import remove_tree
from tea_runner.present.visible_text import visible
from workers.run_datums import ComputedDatum


@click.command("verify")
@click.argument("words", nargs=-1, metavar="[PIPELINE|DATUM]...")
@at_option
@click.option("--ledger", "only_ledger", is_flag=True, help="Only show what was found so far.")
@json_option
@click.pass_obj
def command(context: Context, words: tuple[str, ...], at: str, only_ledger: bool) -> int:
    """Compute known results again in scratch, and compare the bytes with those that are recorded.

    Nothing is written into the dataset; .git/tea-ledger.json counts which pipelines give the same
    bytes. Ends with 1 when something differs or fails.
    """
    session = open_dataset(context)
    ledger = ReproducibilityLedger(session.clone.mirror.git_dir)
    if only_ledger:
        _show(context, ledger)
        return 0
    tip = session.tip(at)
    broken = told(tip)
    verdicts = []
    for verdict in _verify(session, tip, words):
        verdicts.append(verdict)
        ledger.add_verdict([verdict])
        if not context.as_json:
            click.echo(visible(str(verdict)))
    if context.as_json:
        rows = [
            {
                "pipeline": v.pipeline,
                "datum": v.datum,
                "key": v.key,
                "outcome": v.outcome,
                "detail": v.detail,
            }
            for v in verdicts
        ]
        click.echo(json.dumps(rows, indent=1))
    elif not verdicts and not broken:
        click.echo("There is no result to verify; tea-runner run makes some.")
    return 1 if broken or any(v.outcome in ("differs", "failed") for v in verdicts) else 0


def _verify(
    session: OpenDataset, tip: CommitView, words: tuple[str, ...]
) -> Iterator[RecomputeVerdict]:
    todo: list[tuple[PipelineInputs, list[tuple[Row, str]]]] = []
    met: set[str] = set()
    for pipeline in tip.pipelines:
        rows = [(row, key) for row, key in _rows(tip, derive_inputs(tip, pipeline))]
        chosen = []
        for row, key in rows:
            names = {pipeline.name, row.datum, f"{pipeline.name} {row.datum}"}
            hits = {w for w in words if w in names or (len(w) >= 8 and row.key.startswith(w))}
            met |= hits
            if hits or not words:
                chosen.append((row, key))
        todo.append((derive_inputs(tip, pipeline), chosen))
    missing = [word for word in words if word not in met]
    if missing:
        raise NotFound(
            f"there is no pipeline or datum {missing[0]} with results in this commit; "
            f"tea-runner status --all lists them"
        )
    for work, chosen in todo:
        yield from _verify_one(session, tip, work, chosen)


def _rows(tip: CommitView, work: PipelineInputs) -> Iterator[tuple[Row, str]]:
    """Each row of the manifest, with the key that its datum has now."""
    keys = {item.label: item.key for item in work.keyed}
    for row in tip.manifest(work.pipeline).rows:
        yield row, keys.get(row.datum, "")


def _verify_one(
    session: OpenDataset, tip: CommitView, work: PipelineInputs, chosen: list[tuple[Row, str]]
) -> Iterator[RecomputeVerdict]:
    name = work.pipeline.name

    def said(row: Row, outcome: Outcome, detail: str = "") -> RecomputeVerdict:
        return RecomputeVerdict(
            pipeline=name, datum=row.datum, key=row.key, outcome=outcome, detail=detail
        )

    current = {row.datum: row for row, key in chosen if key == row.key}
    for row, key in chosen:
        if key != row.key:
            yield said(row, "skipped", "its inputs are others by now; verify an earlier --at")
    if not current:
        return
    made = bench(session, tip, environment_for(session.context, work.pipeline))
    base = Path(tempfile.mkdtemp(prefix="tea-verify-"))
    log: list[bytes] = []
    try:
        wanted = [(row.datum, row.key) for row in current.values()]
        for computed in made.run(tip, work, wanted, base, job="verify", write=log.append):
            row = current[computed.item.label]
            if computed.error is not None:
                yield said(row, "failed", _sentence(computed.error))
                continue
            paths = list(_differing(tip, row, computed))
            yield said(row, "differs" if paths else "ok", differing_datums(paths))
    finally:
        remove_tree(base)


def _sentence(error: JobError) -> str:
    return " ".join(error.message.split())


def _differing(tip: CommitView, row: Row, computed: ComputedDatum) -> Iterator[str]:
    """Paths in the dataset at which the command left something else than what stands there."""
    before = f"{computed.directory}/" if computed.directory else ""
    made = {found.path: found for found in computed.found}
    for path in sorted({*row.outputs, *made}):
        found = made.get(path)
        if found is None or path not in row.outputs or not _same(tip, before + path, found):
            yield before + path


def _same(tip: CommitView, full: str, found: FileToSave) -> bool:
    entry = tip.entry(full)
    if entry is None:
        return False
    if found.link:
        return entry.mode == LINK and tip.objects.blob(entry.oid) == os.fsencode(found.link)
    try:
        fact = tip.fact(full)
    except UserError:
        return False
    if fact.key is None and (entry.mode == EXECUTABLE) != found.executable:
        return False
    content = fact.content
    if content.algorithm == GIT:
        kind = "sha1" if len(content.digest) == 40 else "sha256"
        head = b"blob %d\0" % found.size
        return _digest(kind, found.file, head) == content.digest
    kind = HASHLIB.get(content.algorithm, content.algorithm.lower())
    return content.size == found.size and _digest(kind, found.file) == content.digest


def _digest(kind: str, file: Path, head: bytes = b"") -> str:
    digest = hashlib.new(kind, head, usedforsecurity=False)
    with file.open("rb") as stream:
        read: Callable[[], bytes] = lambda: stream.read(1 << 20)  # noqa: E731 - one short line
        for piece in iter(read, b""):
            digest.update(piece)
    return digest.hexdigest()


def _show(context: Context, ledger: ReproducibilityLedger) -> None:
    document = ledger.read()
    if context.as_json:
        click.echo(json.dumps(document, indent=1))
        return
    pipelines = document.get("pipelines", {})
    for name, row in sorted(pipelines.items()):
        click.echo(
            visible(
                f"{name}: {row['ok']} same, {row['differs']} other bytes, {row['failed']} failed"
            )
        )
    if not pipelines:
        click.echo("Nothing was verified here yet.")
