"""Digest of the rules that decide how and where outputs in a directory are stored.

A failure to store outputs is no longer true once it is another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from tea_runner.core.git.tree import TREE
from tea_runner.core.results.output_owners import join
from tea_runner.flow.commit_tree import CommitTree

_NAME = ".gitattributes"
#: Folders below the directory that are looked at; nobody writes rules in more of them.
_FOLDERS = 2000


def output_storage_digest(
    tree: CommitTree, directory: str, default_rule: str, storages: str
) -> str:
    """16 hex digits; equal as long as ``.gitattributes`` there, above and below are the same.

    The cost is that of the folders below, of which at most 2,000 are read.

    :param default_rule: ``annex.largefiles`` of ``git annex config``, for files without an attribute.
    :param storages: digest of the storages that the dataset describes; empty for none.
    """
    text, place = "".join(f"{each}\n" for each in (default_rule, storages) if each), ""
    for part in ("", *(directory.split("/") if directory else ())):
        place = join(place, part) if part else place
        entry = tree.entry(join(place, _NAME))
        text += f"{entry.oid if entry is not None else ''}\n"
    text += "".join(f"{path} {oid}\n" for path, oid in _below(tree, directory))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _below(tree: CommitTree, directory: str) -> Iterator[tuple[str, str]]:
    """Path and id of each such file in a folder below the directory."""
    top = tree.entry(directory)
    todo = [("", top.oid)] if top is not None and top.mode == TREE else []
    for _ in range(_FOLDERS):
        if not todo:
            return
        path, oid = todo.pop(0)
        entries = tree.objects.tree(oid)
        if path and _NAME in entries:
            yield path, entries[_NAME].oid
        todo += [
            (join(path, name), each.oid) for name, each in entries.items() if each.mode == TREE
        ]
