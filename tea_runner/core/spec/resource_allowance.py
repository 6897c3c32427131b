"""Resources that pipelines ask for, compared with what the operator allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tea_runner.core.pipeline import Pipeline, Resources

_MEBI = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceAllowance:
    """The most that a pipeline may ask for; None allows any amount."""

    cpu: float | None = None
    #: Bytes.
    memory: int | None = None
    disk: int | None = None
    gpu: int | None = None


ANY_RESOURCES = ResourceAllowance()


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedResource:
    """A resource of which a pipeline asks for more than is allowed."""

    #: Field of the pipeline file, and setting of the operator.
    key: str
    setting: str
    #: With their units.
    asked: str
    allowed: str


def refused_resources(pipeline: Pipeline, allowed: ResourceAllowance) -> Iterator[RefusedResource]:
    """All that a pipeline asks for beyond the allowance, in requests and limits."""
    for field, asked in (
        ("resource_requests", pipeline.requests),
        ("resource_limits", pipeline.limits),
    ):
        for name, wanted, most in _compared(asked, allowed):
            if wanted is not None and most is not None and wanted > most:
                as_size = name in ("memory", "disk")
                yield RefusedResource(
                    key=f"{field}.{'gpu.number' if name == 'gpu' else name}",
                    setting=f"resources.{name}",
                    asked=_size(wanted) if as_size else f"{wanted:g}",
                    allowed=_size(most) if as_size else f"{most:g}",
                )


def _compared(
    asked: Resources, allowed: ResourceAllowance
) -> tuple[tuple[str, float | None, float | None], ...]:
    return (
        ("cpu", asked.cpu, allowed.cpu),
        ("memory", asked.memory, allowed.memory),
        ("disk", asked.disk, allowed.disk),
        ("gpu", asked.gpu_number, allowed.gpu),
    )


def _size(number: float) -> str:
    return f"{number / _MEBI:.15g} MiB"
