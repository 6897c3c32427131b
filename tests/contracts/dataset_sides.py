"""Each implementation of Dataset with a forge that others push to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tea_runner.core.git.tree import PLAIN, TreeEntry, edit_tree
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.manifest_statement import (
    Statement,
    format_statement,
    join_signature,
)
from tea_runner.core.results.result import Result, ResultFile, format_results
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.git_environment import make_environment
from tea_runner.dataset.local_clone import open_clone
from tea_runner.dataset.mirror import Mirror
from tea_runner.dataset.signing_keys import ResultsKeys
from tea_runner.dataset.verify_manifest_signatures import ManifestProofs
from tea_runner.host import process
from tea_runner.ports import Dataset
from tests.contracts.test_objects import WHO, bare
from tests.twins.dataset import MemoryDataset

TRUSTED = ("main", "release/*")
KEYS = tuple(letter * 64 for letter in "abc")


@dataclass
class Side:
    """A dataset, and the forge that others push to."""

    dataset: Dataset
    #: Move a ref of the forge, as somebody else's push does.
    push: Callable[[str, str], object]
    #: End the forge.
    stop: Callable[[], object]
    seconds: int = 0

    def write(
        self, files: Mapping[str, bytes], *, upon: str = "", message: str = "x\n"
    ) -> tuple[str, dict[str, str]]:
        """A commit with these files upon another; its id and the blobs."""
        store, objects = self.dataset.writer(), self.dataset.objects
        blobs = {path: store.add("blob", data) for path, data in files.items()}
        root = objects.commit(upon).tree if upon else None
        changes = {path: TreeEntry(PLAIN, oid) for path, oid in blobs.items()}

        def read(oid: str) -> Mapping[str, TreeEntry]:
            return store.trees.get(oid) or objects.tree(oid)

        tree = edit_tree(read, store.tree, root, changes) or store.tree({})
        self.seconds += 10
        parents = [upon] if upon else []
        commit = store.commit(tree, parents, message, who=WHO, seconds=self.seconds)
        store.flush()
        return commit, blobs

    def results(self, *keys: str, salt: str = "") -> tuple[str, list[Result]]:
        """A commit as workers leave it, with a result of one file for each key."""
        files = {f"{key[0]}.txt": f"{key} {salt}".encode() for key in keys}
        _, blobs = self.write(files)
        found = [
            Result(key, (ResultFile("out", "git", blobs[f"{key[0]}.txt"], 0),), salt=salt)
            for key in keys
        ]
        commit, _ = self.write({**files, "results.json": format_results(found)})
        return commit, found

    def settled(
        self, upon: str, *keys: str, text: str = "", again: str = "", ran: str = "trusted"
    ) -> str:
        """A results commit: a signed manifest in ``home`` and a file for each key."""
        files = {f"home/{key[0]}.txt": (text or f"{key} {again}").encode() for key in keys}
        _, blobs = self.write(files)
        rows = [
            Row(
                f"in:{key[0]}",
                key,
                "",
                (f"{key[0]}.txt",),
                (f"git:{blobs[f'home/{key[0]}.txt']}",),
                (len(files[f"home/{key[0]}.txt"]),),
                ran=ran,
            )
            for key in keys
        ]
        head = {"home/manifest.tsv": manifest_text.format_head(Manifest.of(rows))}
        return self.signed({**files, **head}, upon, recomputed=(again,) if again else ())

    def signed(
        self, files: Mapping[str, bytes], upon: str, recomputed: tuple[str, ...] = ()
    ) -> str:
        """A commit with the signature of ``home/manifest.tsv``."""
        _, blobs = self.write(files, upon=upon)
        statement = Statement(
            repository="" if self.dataset.is_clone else self.dataset.name,
            home="home",
            manifest=blobs["home/manifest.tsv"],
            inputs_at=upon,
            recomputed=recomputed,
        )
        signed = format_statement(statement)
        signature = join_signature(signed, self.dataset.sign_results(signed))
        return self.write({**files, f"home/{statement.path}": signature}, upon=upon)[0]

    def known(self, scope: str = "") -> dict[str, str]:
        """Keys to the commit of the result that comes first."""
        found = self.dataset.signed_results(KEYS, scope)
        return {key: signed[0].commit for key, signed in found.items()}


@pytest.fixture(params=["memory", "forge", "clone"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """Each implementation in turn, with one commit on ``main``."""
    made: Any
    if request.param == "memory":
        memory = MemoryDataset(trusted=TRUSTED)
        memory.storage = ""

        def unreachable() -> None:
            memory.reachable = False

        made = Side(memory, memory.forge.__setitem__, unreachable)
    else:
        forge = bare(tmp_path / "forge.git")
        environment = make_environment(tmp_path, path=os.environ["PATH"], protocols=["file"])
        mirror = Mirror(tmp_path / "mirror.git", forge.as_uri(), environment)
        own = {"", "lab/data"} if request.param == "forge" else {"", "lab/data", "mallory/data"}
        keys = ResultsKeys(tmp_path / "results_key", os.environ)
        proofs = ManifestProofs(keys, own.__contains__)
        if request.param == "clone":
            clone = tmp_path / "clone"
            process.run(["git", "init", "-q", "-b", "other", str(clone)], env=dict(os.environ))
            dataset: GitDataset = open_clone(clone, os.environ, proofs)
            process.run(
                ["git", "-C", str(clone), "commit", "-q", "--allow-empty", "-m", "x"],
                env=dict(os.environ),
            )
            dataset._trusted = lambda _: TRUSTED
        else:
            dataset = ForgeDataset("lab/data", mirror, trusted=lambda _: TRUSTED, proofs=proofs)

        def push(ref: str, oid: str) -> None:
            if request.param == "clone":
                dataset.repository.git("update-ref", ref, oid)
            else:
                mirror.git("push", "-q", "-f", "origin", f"{oid}:{ref}")
                mirror.fetch()

        mirror.ensure()
        made = Side(dataset, push, lambda: shutil.rmtree(forge))
    first, _ = made.write({"raw/a": b"1"})
    made.push("refs/heads/main", first)
    made.dataset.refresh()
    yield made
    if not isinstance(made.dataset, MemoryDataset):
        made.dataset.close()
        mirror.close()
