"""The files that a home has of a manifest in, the manifest out; pieces that are known are not read again."""

from __future__ import annotations

from tea_runner.core.git.tree import EXECUTABLE, PLAIN, TREE, TreeEntry, lookup
from tea_runner.core.results.manifest import EMPTY, Manifest, ManifestPiece
from tea_runner.core.results.manifest_text import (
    ManifestError,
    parse_head,
    parse_piece,
    piece_names,
)
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.ports import Objects

_FILES = (PLAIN, EXECUTABLE)


def read_manifest(
    objects: Objects, memory: PlanningCache, head: TreeEntry | None, directory: TreeEntry | None
) -> Manifest:
    """The manifest of a home; an empty one where there is none that can be read.

    :param head: what stands at ``manifest.tsv``.
    :param directory: what stands at ``manifest.d``.
    """
    if head is None or head.mode not in _FILES:
        return Manifest()
    tree = directory.oid if directory is not None and directory.mode == TREE else ""
    name = (head.oid, tree)
    known = memory.manifests.get(name)
    if known is None:
        objects.fetch_blobs([head.oid])
        try:
            said = parse_head(objects.blob(head.oid) or b"")
            known = said.manifest(_pieces(objects, memory, tree, said.pieces))
        except ManifestError:
            known = Manifest()
        memory.manifests.put(name, known)
    return known


def _pieces(objects: Objects, memory: PlanningCache, tree: str, count: int) -> list[ManifestPiece]:
    if count == 1:
        return []
    entries = [lookup(objects.tree, tree, name) for name in piece_names(count)] if tree else []
    oids = [entry.oid if entry and entry.mode in _FILES else "" for entry in entries]
    names = [(oid, number, count) for number, oid in enumerate(oids) if oid]
    wanted = [name for name in names if name not in memory.pieces]
    objects.fetch_blobs(oid for oid, _, _ in wanted)
    texts = objects.blobs(oid for oid, _, _ in wanted)
    # They stay known as long as a manifest that is remembered has them.
    fresh = {name: parse_piece(texts[name[0]] or b"", name[1], count) for name in wanted}
    memory.pieces.update(fresh)
    found = [memory.pieces[oid, number, count] if oid else EMPTY for number, oid in enumerate(oids)]
    return found or [EMPTY] * count
