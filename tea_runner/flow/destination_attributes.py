"""Digest of the ``.gitattributes`` that decide how outputs in a directory are stored.

A failure to store outputs is no longer true once it is another one.
"""

from __future__ import annotations

import hashlib

from tea_runner.core.results.output_owners import join
from tea_runner.flow.tree_reader import CommitTree


def destination_attributes(tree: CommitTree, directory: str) -> str:
    """16 hex digits; equal as long as the files of the directory and of those above it are the same."""
    text, place = "", ""
    for part in ("", *(directory.split("/") if directory else ())):
        place = join(place, part) if part else place
        entry = tree.entry(join(place, ".gitattributes"))
        text += f"{entry.oid if entry is not None else ''}\n"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
