"""Which rows of a manifest are known results: those that a trusted signature covers.

If the signature beside a manifest holds, it covers all of its rows at once.  A manifest without one,
such as one that was merged or edited, is compared row by row with the signed manifests of the history.
"""

from __future__ import annotations

from collections.abc import Iterable

from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.manifest_statement import signature_file
from tea_runner.core.results.signed_manifest_row import Accepts, SignedResult
from tea_runner.flow.commit_tree import CommitTree
from tea_runner.flow.read_manifest_statement import statement_in
from tea_runner.flow.reuse_rule import Acceptance
from tea_runner.ports import Dataset


def manifest_signer(dataset: Dataset, tree: CommitTree, home: str) -> str:
    """Name of the trusted signer of the manifest at a home; empty without one."""
    file = signature_file(tree.entry, home)
    if file is None:
        return ""
    signer = tree.cache.signers.get(file)
    if signer is None:
        found = statement_in(tree, file)
        is_here = found is not None and (
            dataset.is_clone or found.statement.repository in ("", dataset.name)
        )
        signer = ""
        if found is not None and is_here and found.signature:
            signer = dataset.signer_of(found.text, found.signature)
        tree.cache.signers.put(file, signer)
    return signer


def row_signer(dataset: Dataset, tree: CommitTree, home: str, row: Row) -> str:
    """Name of the trusted signer of a row of the manifest at a home; empty where nothing proves it.

    The manifest's own signature covers each of its rows; otherwise a signed manifest of the history
    may have an equal row.

    :raises OutsideError: when git ends with an error.
    """
    if not dataset.requires_signatures:
        return ""
    if signer := manifest_signer(dataset, tree, home):
        return signer
    found = dataset.signed_results([row.key]).get(row.key, ()) if row.ran else ()
    return next((each.signer for each in found if each.proves(row)), "")


def unproven_datums(
    dataset: Dataset,
    tree: CommitTree,
    home: str,
    manifest: Manifest,
    scope: str,
    accepts: Acceptance,
) -> frozenset[str]:
    """Datums of a manifest whose rows are no known results.

    :param scope: of the branch.
    :raises OutsideError: when git ends with an error.
    """
    if not dataset.requires_signatures or not manifest.count:
        return frozenset()
    if manifest_signer(dataset, tree, home):
        return frozenset(row.datum for row in manifest.conditional if not accepts.accepts_row(row))
    rows = [row for piece in manifest.pieces for row in piece.rows]
    signed = dataset.signed_results([row.key for row in rows if row.ran], scope)
    return frozenset(
        row.datum for row in rows if not _is_proven(row, signed.get(row.key, ()), accepts)
    )


def _is_proven(row: Row, signed: Iterable[SignedResult], accepts: Accepts) -> bool:
    return any(each.proves(row) and accepts(each) for each in signed)
