"""Reads the manifest in a pipeline's home."""

from __future__ import annotations

from tea_runner.core.git.tree import FILES, TREE, lookup
from tea_runner.core.results import manifest_text
from tea_runner.core.results.manifest import EMPTY, Manifest, ManifestPiece
from tea_runner.core.results.manifest_text import (
    ManifestError,
    parse_head,
    parse_piece,
    piece_names,
)
from tea_runner.flow.commit_tree import CommitTree
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.ports import Objects


def read_manifest(tree: CommitTree, home: str) -> Manifest:
    """The manifest of a pipeline's home; an empty one where there is none, or it cannot be parsed.

    Pieces that are cached are not read again.
    """
    prefix = home + "/" if home else ""
    head = tree.entry(prefix + manifest_text.NAME)
    if head is None or head.mode not in FILES:
        return Manifest()
    directory = tree.entry(prefix + manifest_text.DIRECTORY)
    pieces = directory.oid if directory is not None and directory.mode == TREE else ""
    name = (head.oid, pieces)
    known = tree.cache.manifests.get(name)
    if known is None:
        tree.objects.fetch_blobs([head.oid])
        try:
            parsed = parse_head(tree.objects.blob(head.oid) or b"")
            known = parsed.manifest(_pieces(tree.objects, tree.cache, pieces, parsed.pieces))
        except ManifestError:
            known = Manifest()
        tree.cache.manifests.put(name, known)
    return known


def _pieces(objects: Objects, cache: PlanningCache, tree: str, count: int) -> list[ManifestPiece]:
    if count == 1:
        return []
    entries = [lookup(objects.tree, tree, name) for name in piece_names(count)] if tree else []
    oids = [entry.oid if entry and entry.mode in FILES else "" for entry in entries]
    names = [(oid, number, count) for number, oid in enumerate(oids) if oid]
    wanted = [name for name in names if name not in cache.pieces]
    objects.fetch_blobs(oid for oid, _, _ in wanted)
    texts = objects.blobs(oid for oid, _, _ in wanted)
    # The cache holds them weakly: they stay as long as a cached manifest uses them.
    fresh = {}
    for oid, number, of in wanted:
        data = texts[oid]
        if data is None:
            raise ManifestError(f"piece {number} of {of} is too large")
        fresh[oid, number, of] = parse_piece(data, number, of)
    cache.pieces.update(fresh)
    found = [cache.pieces[oid, number, count] if oid else EMPTY for number, oid in enumerate(oids)]
    return found or [EMPTY] * count
