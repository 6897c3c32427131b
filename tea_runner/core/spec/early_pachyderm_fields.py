"""Fields of early Pachyderm versions with another shape, rewritten as the fields of today.

- ``inputs`` (1.2 and older) is a list; each item names a repo and a method, which is how the repo is
  divided among containers.  The whole repo (``global``) is the glob ``/``; one file each (``reduce``) is
  ``/*``.  So is ``map``, although it divided large files into blocks, too: a datum is at least a file.
- ``gpu`` of resources (1.7 and older) is a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tea_runner.core.spec.yaml_nodes import MappingNode, Mark, Node, ScalarNode, SequenceNode

INPUTS = "inputs"
_INPUT = "input"
_RESOURCES = ("resource_requests", "resource_limits", "resourceRequests", "resourceLimits")
#: Fields of an item of ``inputs`` that have the same meaning in ``pfs``.
_KEPT = ("name", "branch", "lazy")
_WHOLE = ("global", "repo", "REPO")


def rewrite_early_fields(root: Node) -> Node:
    """The document with today's fields; without former ones, or with ``input`` too, as it is."""
    if not isinstance(root, MappingNode):
        return root
    values = {
        name: _with_gpu(node) if name in _RESOURCES else node for name, node in root.values.items()
    }
    items = values.get(INPUTS)
    if not isinstance(items, SequenceNode) or not items.items or _INPUT in values:
        return replace(root, values=values)
    leaves = [_leaf(item) for item in items.items]
    found: Node = _mapping(items.mark, {"cross": SequenceNode(items.mark, leaves)})
    if len(leaves) == 1:
        found = leaves[0]
    del values[INPUTS]
    marks = {_INPUT if name == INPUTS else name: mark for name, mark in root.marks.items()}
    return MappingNode(root.mark, {**values, _INPUT: found}, marks)


def uses_former_inputs(written: Node, rewritten: Node) -> bool:
    """Whether ``inputs`` was rewritten; any other ``inputs`` is an unknown key."""
    if not isinstance(written, MappingNode) or not isinstance(rewritten, MappingNode):
        return False
    return INPUTS in written.values and INPUTS not in rewritten.values


def _leaf(item: Node) -> Node:
    """``{pfs: {repo, glob, ...}}`` of one item; what is no such item is left for the reader to refuse."""
    if not isinstance(item, MappingNode):
        return item
    repo = item.values.get("repo")
    if isinstance(repo, MappingNode):
        repo = repo.values.get("name")
    glob = item.values.get("glob", ScalarNode(item.mark, _glob(item.values.get("method"))))
    kept = {name: item.values[name] for name in _KEPT if name in item.values}
    named = {} if repo is None else {"repo": repo}
    return _mapping(item.mark, {"pfs": _mapping(item.mark, {**named, "glob": glob, **kept})})


def _glob(method: Node | None) -> str:
    if isinstance(method, MappingNode):
        method = method.values.get("partition")
    return "/" if isinstance(method, ScalarNode) and method.text in _WHOLE else "/*"


def _with_gpu(resources: Node) -> Node:
    if not isinstance(resources, MappingNode):
        return resources
    number = resources.values.get("gpu")
    if not isinstance(number, ScalarNode):
        return resources
    gpu = _mapping(number.mark, {"number": number})
    return replace(resources, values={**resources.values, "gpu": gpu})


def _mapping(mark: Mark, values: Mapping[str, Node]) -> MappingNode:
    return MappingNode(mark, dict(values), {name: node.mark for name, node in values.items()})
