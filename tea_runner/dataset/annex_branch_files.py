"""Files of the ``git-annex`` branch that are not about one key."""

from __future__ import annotations

from tea_runner.core.git.git_annex_config import LARGEFILES, parse_annex_config
from tea_runner.core.git.tree import lookup
from tea_runner.dataset.object_reader import ObjectReader


def annex_branch_file(objects: ObjectReader, tip: str | None, name: str) -> bytes:
    """A file in the root of the branch; empty when there is none.

    :param tip: commit of the branch; None where there is no such branch.
    """
    if tip is None:
        return b""
    entry = lookup(objects.tree, objects.commit(tip).tree, name)
    return (objects.blob(entry.oid) or b"") if entry else b""


def default_largefiles(objects: ObjectReader, tip: str | None) -> str:
    """``annex.largefiles`` of ``git annex config``, for paths without that attribute; or empty.

    ``nothing`` in a repository without git-annex.
    """
    if tip is None:
        return "nothing"
    log = annex_branch_file(objects, tip, "config.log")
    return parse_annex_config(log).get(LARGEFILES, "")
