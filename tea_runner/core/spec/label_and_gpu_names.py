"""Names of labels, priorities and graphics processors in pipeline files."""

from __future__ import annotations

from tea_runner.core.resource_demand import NAME
from tea_runner.core.spec.field_reader import ParsedMapping, SpecReader

_MOST = 16
#: Names of Kubernetes' classes of priority that stand for one; it has no names of its own for them.
_HIGH, _HIGH_PRIORITY = frozenset({"high", "high-priority", "urgent", "critical"}), 10


def class_priority(mapping: ParsedMapping) -> int:
    """The priority that ``scheduling_spec.priority_class_name`` stands for."""
    name = mapping.mapping("scheduling_spec").text("priority_class_name")
    return _HIGH_PRIORITY if name in _HIGH else 1


def worker_labels(mapping: ParsedMapping) -> tuple[str, ...]:
    """Labels that the worker must have: the label ``worker``, and pairs of the node selector; sorted."""
    labels = mapping.mapping("metadata").values.get("labels", {})
    selected = mapping.mapping("scheduling_spec").values.get("node_selector", {})
    assert isinstance(labels, dict)
    assert isinstance(selected, dict)
    found = {f"{name}={value}" for name, value in selected.items()}
    found |= {labels["worker"]} if labels.get("worker") else set()
    return tuple(sorted(found))


def check_worker_names(reader: SpecReader, mapping: ParsedMapping) -> None:
    """Report names that no worker can have."""
    labels = worker_labels(mapping)
    field = "scheduling_spec" if "scheduling_spec" in mapping.values else "metadata"
    wrong = next((label for label in labels if not NAME.fullmatch(label)), "")
    if wrong or len(labels) > _MOST:
        reader.report(
            "error",
            mapping.place(field),
            field,
            f"{wrong[:40]!r} is no label of a worker" if wrong else f"more than {_MOST} labels",
            "labels have letters, digits and . _ - / =",
        )
    for resources in ("resource_requests", "resource_limits"):
        gpu = mapping.mapping(resources).mapping("gpu")
        kind = gpu.text("type")
        if kind and not NAME.fullmatch(kind):
            reader.report(
                "error",
                gpu.place("type"),
                f"{resources}.gpu.type",
                f"{kind[:40]!r} is no type of graphics processor",
                "write a name such as nvidia.com/gpu",
            )
