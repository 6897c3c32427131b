"""Reads what is stated of the manifests of a commit; :mod:`signed_manifest_rows` decides what counts."""

from __future__ import annotations

from tea_runner.core.results.manifest_statement import (
    FoundStatement,
    SignatureFile,
    read_signature,
    signature_file,
)
from tea_runner.flow.commit_tree import CommitTree


def read_manifest_statement(tree: CommitTree, home: str) -> FoundStatement | None:
    """The statement about the manifest at a home of a commit; nothing is verified."""
    file = signature_file(tree.entry, home)
    return statement_in(tree, file) if file is not None else None


def statement_in(tree: CommitTree, file: SignatureFile) -> FoundStatement | None:
    """The statement in a signature file of a commit; nothing is verified."""
    tree.objects.fetch_blobs([file.signature])
    return read_signature(file, tree.objects.blob(file.signature) or b"")


def inputs_commit(tree: CommitTree, home: str) -> str:
    """The commit that the rows of the manifest at a home were computed from; empty if unknown."""
    found = read_manifest_statement(tree, home)
    return found.statement.inputs_at if found is not None else ""
