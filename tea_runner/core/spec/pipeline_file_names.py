"""Names of pipeline files, and which files of these names are of other programs."""

from __future__ import annotations

import re

from tea_runner.core.spec.yaml_nodes import MappingNode, Node, SequenceNode, read_documents

#: A file of one of these names, in any folder of a dataset, is read as a pipeline file.
SPEC_NAMES = ("spec.yml", "spec.yaml", "spec.json")
#: A file of this name hides its folder, and the folders below, from the search for pipeline files.
IGNORE_NAME = ".tea-ignore"

#: One of these fields makes a document ours.
_OURS = ("pipeline", "transform")
_KEY = re.compile(rb"""(?:^|[{,])\s*["']?(?:pipeline|transform)["']?\s*:""", re.MULTILINE)


def is_pipeline_text(data: bytes) -> bool:
    """Whether the text of a file with one of these names is meant for us, with or without mistakes.

    An OpenAPI description is a ``spec.json`` too.  Text that cannot be parsed is ours if it seems to
    have one of our fields.
    """
    found = read_documents(data)
    if any(_is_ours(document.root) for document in found.documents):
        return True
    return bool(found.problems) and _KEY.search(data) is not None


def _is_ours(node: Node) -> bool:
    if isinstance(node, SequenceNode):
        return any(_is_ours(item) for item in node.items)
    return isinstance(node, MappingNode) and any(name in node.values for name in _OURS)
