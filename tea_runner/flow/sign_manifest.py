"""Signature of the manifest in a tree that is about to be committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tea_runner.core.git.tree import TREE, TreeEntry, lookup
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest_statement import (
    DIRECTORY,
    Statement,
    format_statement,
    join_signature,
)
from tea_runner.core.results.output_owners import join
from tea_runner.ports import Dataset


def dataset_signer(dataset: Dataset) -> ManifestSigner:
    """The signer of a dataset's manifests.

    Where signatures are not required, the statement is the same for all repositories.
    """
    named = dataset.requires_signatures and not dataset.is_clone
    return ManifestSigner(repository=dataset.name if named else "", sign=dataset.sign_results)


@dataclass(frozen=True, kw_only=True)
class ManifestSigner:
    """Signs manifests of one dataset.

    :param repository: ``owner/name``; empty in a clone.
    :param sign: returns the signature of a statement.
    """

    repository: str
    sign: Callable[[bytes], bytes]

    def signature(
        self,
        read: Callable[[str], Mapping[str, TreeEntry]],
        root: str,
        home: str,
        *,
        inputs_at: str,
        recomputed: tuple[str, ...],
    ) -> dict[str, bytes | None]:
        """Files of the dataset to write, or to delete (None), so that a manifest has its signature.

        :param read: returns the entries of a tree.
        :param root: the tree with the manifest.
        :param inputs_at: the commit whose inputs the rows describe.
        :param recomputed: keys whose results replace earlier ones.
        """
        head = lookup(read, root, join(home, manifest_text.NAME))
        if head is None:
            return {}
        pieces = lookup(read, root, join(home, manifest_text.DIRECTORY))
        statement = Statement(
            repository=self.repository,
            home=home,
            manifest=head.oid,
            pieces=pieces.oid if pieces is not None and pieces.mode == TREE else "",
            inputs_at=inputs_at,
            recomputed=recomputed,
        )
        directory = join(home, DIRECTORY)
        former = lookup(read, root, directory)
        files: dict[str, bytes | None] = {}
        if former is not None and former.mode == TREE:
            files = {f"{directory}/{name}": None for name in read(former.oid)}
        text = format_statement(statement)
        files[join(home, statement.path)] = join_signature(text, self.sign(text))
        return files
