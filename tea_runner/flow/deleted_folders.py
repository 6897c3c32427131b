"""Folders that a commit no longer has, but that were there before.

git has no empty folders, so a folder whose last file was deleted is one that was never there, except
for its history.
"""

from __future__ import annotations

from collections import deque

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.core.git.tree import SUBMODULE, TREE, TreeEntry
from tea_runner.flow.commit_tree import CommitTree

#: Commits in which a folder is looked for: it is read from git, and only where a folder is missing.
_MAX_COMMITS = 5_000
#: Answers that are cached.
_MAX_ANSWERS = 1_000


def was_folder(tree: CommitTree, path: str) -> bool:
    """Whether a path was a folder, or lay in a subdataset, in one of the last commits before this one.

    The nearest commits are looked at first, and an answer is cached for those that follow from this
    commit: after the first question one commit is read for each new one.
    """
    cache = tree.cache.deleted_folders
    start = tree.commit
    if len(cache) > _MAX_ANSWERS:
        cache.clear()
    known = cache.get((start, path))
    if known is None:
        known = cache[start, path] = _search(tree, path)
    return known


def _search(tree: CommitTree, path: str) -> bool:
    cache = tree.cache.deleted_folders
    todo, seen = deque([tree.commit]), {tree.commit}
    while todo and len(seen) <= _MAX_COMMITS:
        commit = todo.popleft()
        known = cache.get((commit, path))
        if known:
            return True
        if known is False:
            continue
        try:
            facts = tree.objects.commit(commit)
            if _is_folder(tree, facts.tree, path):
                return True
        except (OutsideError, Refused):  # a shallow clone ends here
            continue
        fresh = [parent for parent in facts.parents if parent not in seen]
        seen.update(fresh)
        todo.extend(fresh)
    return False


def _is_folder(tree: CommitTree, root: str, path: str) -> bool:
    entry = TreeEntry(TREE, root)
    for part in path.split("/"):
        found = tree.objects.tree(entry.oid).get(part)
        if found is None or found.mode not in (TREE, SUBMODULE):
            return False
        if found.mode == SUBMODULE:
            return True
        entry = found
    return True
