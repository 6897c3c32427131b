"""Checks of the signatures of manifests in a repository's commits."""

from __future__ import annotations

import json
from collections.abc import Callable

from tea_runner.core.git.tree import lookup
from tea_runner.core.results.manifest_statement import Statement, read_signature, signature_file
from tea_runner.dataset.git_repository import GitRepository
from tea_runner.dataset.signing_keys import ResultsKeys

#: Statements that are kept while new commits are read: a large manifest has many files.
_MAX_KEPT = 1000
#: A statement about a manifest, and the name of its signer.
Proof = tuple[Statement, str]


class ManifestProofs:
    """Decides which manifests count.

    :param keys: the keys whose signatures count; None where signatures are not required.
    :param is_here: whether a repository that a statement names is this one.
    """

    def __init__(
        self, keys: ResultsKeys | None, is_here: Callable[[str], bool] = lambda _: True
    ) -> None:
        self.keys = keys
        self._is_here = is_here
        self._proofs: dict[tuple[str, str], Proof | None] = {}

    @property
    def required(self) -> bool:
        """Whether only signed manifests count."""
        return self.keys is not None

    @property
    def settings(self) -> str:
        """A text that differs when other manifests count."""
        return json.dumps(sorted(self.keys.trusted) if self.keys is not None else None)

    def signer_of(self, text: bytes, signature: bytes) -> str:
        """Name of the trusted signer of a statement; empty without one."""
        return self.keys.signer_of(text, signature) if self.keys is not None else ""

    def find(self, repository: GitRepository, root: str, home: str) -> Proof | None:
        """The proven statement about the manifest in a tree; None when it does not count.

        Where signatures are not required, any statement counts.

        :raises OutsideError: when the repository is incomplete.
        """
        name = (root, home)
        if name not in self._proofs:
            if len(self._proofs) >= _MAX_KEPT:
                self._proofs.clear()
            self._proofs[name] = self._find(repository, root, home)
        return self._proofs[name]

    def _find(self, repository: GitRepository, root: str, home: str) -> Proof | None:
        objects = repository.objects

        file = signature_file(lambda path: lookup(objects.tree, root, path), home)
        if file is None:
            return None
        objects.fetch_blobs([file.signature])
        found = read_signature(file, objects.blob(file.signature) or b"")
        if found is None:
            return None
        if self.keys is None:
            return found.statement, ""
        if not found.signature or not self._is_here(found.statement.repository):
            return None
        signer = self.keys.signer_of(found.text, found.signature)
        return (found.statement, signer) if signer else None
