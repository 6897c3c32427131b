"""Location logs of annexed content that is in a storage now, on the ``git-annex`` branch."""

from __future__ import annotations

from collections.abc import Mapping

from tea_runner.core.git import annex_paths
from tea_runner.core.git.tree import PLAIN, TreeEntry, edit_tree, lookup
from tea_runner.ports import Dataset, TreeStore


def log_presence(
    dataset: Dataset,
    store: TreeStore,
    annex_tip: str | None,
    places: Mapping[str, str],
    who: str,
    seconds: int,
    message: str = "tea-runner: results are in storage\n",
) -> str | None:
    """A commit of the ``git-annex`` branch with the content's locations; None if it has them already.

    :param places: annex keys to the uuid of the storage that has their content.
    """
    root = dataset.objects.commit(annex_tip).tree if annex_tip else None
    paths = {annex_paths.log_path(key): uuid for key, uuid in places.items()}
    entries = {path: lookup(dataset.objects.tree, root, path) if root else None for path in paths}
    blobs = dataset.objects.blobs(entry.oid for entry in entries.values() if entry)
    changes: dict[str, TreeEntry | None] = {}
    for path, entry in entries.items():
        before = (blobs[entry.oid] or b"") if entry else b""
        after = annex_paths.merge_location(before, paths[path], seconds)
        if after != before:
            changes[path] = TreeEntry(PLAIN, store.add("blob", after))
    if not changes:
        return None

    def read(oid: str) -> Mapping[str, TreeEntry]:
        return store.trees.get(oid) or dataset.objects.tree(oid)

    tree = edit_tree(read, store.tree, root, changes)
    assert tree is not None
    parents = [annex_tip] if annex_tip else []
    return store.commit(tree, parents, message, who=who, seconds=seconds)
