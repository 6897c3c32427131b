"""What results beside a branch would change on it: datums with their outputs."""

from __future__ import annotations

from collections.abc import Iterator

from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.results_pull_request_digest import ProposedDatum, ProposedOutput
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.read_manifest import read_manifest


def proposed_results(results: CommitReader, base: CommitReader) -> list[ProposedDatum]:
    """The datums in which the manifests of *results* differ from those of *base*.

    Costs the rows of both manifests of each pipeline.
    """
    homes = {pipeline.home: pipeline.name for pipeline in results.pipelines}
    found: list[ProposedDatum] = []
    for home, name in homes.items():
        after, before = read_manifest(results.tree, home), read_manifest(base.tree, home)
        found += _of_pipeline(home, name, after, before)
    return found


def _of_pipeline(
    home: str, name: str, after: Manifest, before: Manifest
) -> Iterator[ProposedDatum]:
    labels = after.differing(before)
    if labels is None:
        labels = {row.datum for row in set(after.rows) ^ set(before.rows)}
    for label in sorted(labels):
        new, old = after.row(label), before.row(label)
        row = new or old
        assert row is not None
        yield ProposedDatum(
            pipeline=name,
            datum=label,
            change="removed" if new is None else "new" if old is None else "changed",
            key=row.key,
            outputs=_outputs(home, new) if new is not None else (),
        )


def _outputs(home: str, row: Row) -> list[ProposedOutput]:
    prefix = f"{home}/" if home else ""
    contents = row.contents or ("",) * len(row.paths)
    sizes = row.sizes or (0,) * len(row.paths)
    return [
        ProposedOutput(path=prefix + path, size=size, in_git=content.startswith(("git:", "exec:")))
        for path, content, size in zip(row.paths, contents, sizes, strict=True)
    ]
