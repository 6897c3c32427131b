"""Find the line and column of a field in a pipeline file."""

from __future__ import annotations

import re

from tea_runner.core.pipeline import Cron, Input, Pfs
from tea_runner.core.spec.yaml_nodes import (
    MappingNode,
    Mark,
    Node,
    ScalarNode,
    SequenceNode,
    read_documents,
)

_PART = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")


def locate(data: bytes, document: int, key: str) -> Mark:
    """The position of the field *key* (such as ``input.join[0].pfs.glob``), or of its nearest parent.

    :param document: number of the document, from 0.
    """
    return _find(data, document, key)[0]


def locate_value(data: bytes, document: int, key: str) -> ScalarNode | None:
    """The text of the field *key*, with its position; None where there is none."""
    _, node, is_found = _find(data, document, key)
    return node if is_found and isinstance(node, ScalarNode) else None


def _find(data: bytes, document: int, key: str) -> tuple[Mark, Node | None, bool]:
    """Position and value of a field, or of its nearest parent, and whether it is the field."""
    documents = read_documents(data).documents
    if document >= len(documents):
        return Mark(1), None, False
    node, mark = documents[document].root, documents[document].mark
    for name, index in _PART.findall(key):
        if index and isinstance(node, SequenceNode) and int(index) < len(node.items):
            node = node.items[int(index)]
            mark = node.mark
            continue
        written = (
            [n for n in node.values if _plain(n) == name] if isinstance(node, MappingNode) else []
        )
        if not written:
            return mark, node, False
        assert isinstance(node, MappingNode)
        mark, node = node.marks[written[0]], node.values[written[0]]
    return mark, node, True


def input_keys(node: Input, key: str = "input") -> tuple[str, ...]:
    """The dotted path of each pfs input, in the order of :func:`~tea_runner.core.pipeline.pfs_leaves`."""
    if isinstance(node, Pfs):
        return (f"{key}.pfs",)
    if isinstance(node, Cron):
        return ()
    return tuple(
        found
        for number, child in enumerate(node.inputs)
        for found in input_keys(child, f"{key}.{node.kind}[{number}]")
    )


def _plain(name: str) -> str:
    """The field's name, given its spelling in Pachyderm's JSON."""
    return re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name)
