"""Objects of a bucket as annexed files: git-annex lists the bucket and hashes what is new in it.

The content stays where it is, and is recorded to be there (git-annex-import(1), ``importtree=yes``).  This
needs a repository that is not bare, so it has one of its own, without a working tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tea_runner.core.errors import Refused
from tea_runner.core.git import annex_paths
from tea_runner.core.git.tree import PLAIN, TREE, TreeEntry, edit_tree, lookup
from tea_runner.dataset.annex_program import AnnexProgram
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.object_writer import ObjectWriter

#: Branch of the repository that imports are based on: it has no files.
_BASE = "tea-import"
_WHO = "tea-runner <tea-runner@localhost>"
#: Where git-annex keeps the tree of an import for a moment, so that it is reachable (its Annex.Branch).
_GRAFT = "export.tree"


class ObjectImport:
    """Imports from one storage of a dataset.

    :param dataset: with a mirror that nothing else uses.
    :param storage: name of the special remote.
    :param worktree: an empty folder.
    """

    def __init__(self, dataset: ForgeDataset, storage: str, worktree: Path) -> None:
        self._dataset = dataset
        self._storage = storage
        worktree.mkdir(parents=True, exist_ok=True)
        git_dir = dataset.mirror.git_dir
        places = {
            "GIT_DIR": str(git_dir),
            "GIT_WORK_TREE": str(worktree),
            # An import calls git with patterns of its own; the names of objects are none.
            "GIT_LITERAL_PATHSPECS": "0",
        }
        self._program = AnnexProgram(
            git_dir, worktree, dataset.mirror.environment, {**dataset.storage_variables, **places}
        )

    @property
    def uuid(self) -> str:
        """The uuid of the storage.

        :raises Refused: when the dataset has no such storage, or one that is no import.
        """
        self._dataset.prepared_annex()
        uuid = self._dataset.remotes.uuid_of(self._storage)
        described = self._dataset.remotes.described(self._storage)
        if not uuid or described.get("importtree", "").lower() not in ("yes", "true", "1"):
            raise Refused(
                f"{self._dataset.name} has no storage {self._storage} with importtree=yes that the "
                f"settings list",
                hint=f"git annex initremote {self._storage} type=S3 importtree=yes …, and list it as "
                f"[[storage]]",
            )
        return uuid

    def tree(self) -> str:
        """Import what is new; returns the tree of all objects of the bucket.

        :raises OutsideError: when the storage does not answer.
        """
        store = self._dataset.mirror.writer()
        empty = store.commit(store.tree({}), [], "Nothing\n", who=_WHO, seconds=0)
        store.flush()
        self._dataset.mirror.update([f"update refs/heads/{_BASE} {empty}"])
        self._program.set_config("core.bare", "false")
        try:
            self._program.run("import", "--quiet", _BASE, "--from", self._storage)
        finally:
            self._program.set_config("core.bare", "true")
        ref = f"refs/remotes/{self._storage}/{_BASE}"
        self._dataset.mirror.ref_cache.invalidate()
        commit = self._dataset.mirror.refs(ref).get(ref)
        return self._dataset.objects.commit(commit).tree if commit else store.tree({})

    def log(
        self, store: ObjectWriter, keys: Sequence[str], tree: str, *, who: str, seconds: int
    ) -> str:
        """A commit of the ``git-annex`` branch that says where the content of the keys is.

        :param tree: all objects of the bucket.
        """
        objects = self._dataset.objects
        tip = self._dataset.annex_tip()
        root = objects.commit(tip).tree if tip else store.tree({})
        ref = "refs/heads/git-annex"
        local = objects.commit(self._dataset.mirror.refs(ref)[ref]).tree
        uuid = self.uuid

        def file(top: str, path: str) -> bytes:
            entry = lookup(read, top, path)
            return (objects.blob(entry.oid) or b"") if entry is not None else b""

        def read(oid: str) -> Mapping[str, TreeEntry]:
            return store.trees.get(oid) or objects.tree(oid)

        changes: dict[str, TreeEntry | None] = {}
        for key in keys:
            path = annex_paths.log_path(key)
            texts = {
                path: annex_paths.merge_location(file(root, path), uuid, seconds),
                f"{path}.cid": file(local, f"{path}.cid"),
            }
            changes |= {name: TreeEntry(PLAIN, store.add("blob", x)) for name, x in texts.items()}
        own = f" {uuid}:{uuid} ".encode()
        lines = [x for x in file(root, "export.log").splitlines(keepends=True) if own not in x]
        lines.append(f"{seconds}s {uuid}:{uuid} {tree}\n".encode())
        changes["export.log"] = TreeEntry(PLAIN, store.add("blob", b"".join(sorted(lines))))
        grafted = edit_tree(read, store.tree, root, {_GRAFT: TreeEntry(TREE, tree)})
        after = edit_tree(read, store.tree, root, changes)
        assert grafted is not None
        assert after is not None
        parents = [tip] if tip else []
        graft = store.commit(grafted, parents, "graft\n", who=who, seconds=seconds)
        message = "tea-runner: objects are in storage\n"
        return store.commit(after, [graft], message, who=who, seconds=seconds)

    def drop(self, keys: Sequence[str]) -> None:
        """Remove the copies that were made to hash the objects."""
        self._dataset.mirror.ref_cache.invalidate()
        for _ in self._program.ask_json(keys, "drop", "--force", "--quiet"):
            pass

    def close(self) -> None:
        """End the processes behind it."""
        self._program.close()
