"""The setting ``worker.offers``: what the workers of this host share."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

#: Fields of the table.
FIELDS = ("cpus", "memory", "disk", "gpus", "gpu_type", "labels")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/=-]{0,126}[A-Za-z0-9])?")
_LARGEST = 1 << 60


@dataclass(frozen=True, kw_only=True)
class OfferOptions:
    """What an operator says of a host; None for what is found on it.  Memory and disk are in bytes."""

    cpus: float | None = None
    memory: int | None = None
    disk: int | None = None
    gpus: int | None = None
    gpu_type: str | None = None
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The table as in the settings file."""
        said = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return (
            "{" + ", ".join(f"{name} = {json.dumps(value)}" for name, value in said.items()) + "}"
        )


class OfferExpected(ValueError):
    """A table of the wrong form; its text says what was expected."""


def read_offers(raw: object) -> OfferOptions:
    """The offers in a TOML table, or in JSON text.

    :raises OfferExpected: with the expected form.
    """
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise OfferExpected("a table, in JSON where it is a text") from error
    if isinstance(raw, OfferOptions):
        return raw
    if not isinstance(raw, dict) or not set(raw) <= set(FIELDS):
        raise OfferExpected("a table with some of " + ", ".join(FIELDS))
    labels, gpus, cpus = raw.get("labels", ()), raw.get("gpus"), raw.get("cpus")
    if not isinstance(labels, list | tuple) or not all(_is_name(each) for each in labels):
        raise OfferExpected("a list of names as labels, of letters, digits and . _ - / =")
    if gpus is not None and (type(gpus) is not int or not 0 <= gpus <= 1000):
        raise OfferExpected("a whole number of gpus")
    if cpus is not None and (type(cpus) not in (int, float) or not 0 < cpus < _LARGEST):
        raise OfferExpected("a number of cpus")
    gpu_type = raw.get("gpu_type")
    if gpu_type is not None and not _is_name(gpu_type):
        raise OfferExpected("a name as gpu_type, such as nvidia.com/gpu")
    return OfferOptions(
        cpus=None if cpus is None else float(cpus),
        memory=_size("memory", raw.get("memory")),
        disk=_size("disk", raw.get("disk")),
        gpus=gpus,
        gpu_type=gpu_type,
        labels=tuple(sorted(set(labels))),
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _size(name: str, raw: object) -> int | None:
    """Bytes: a number, or a text such as ``64G`` or ``64 GiB``, which are the same, as in sandbox.memory."""
    if raw is None:
        return None
    match = _SIZE.fullmatch(str(raw)[:50]) if type(raw) in (int, str) else None
    value = float(match[1]) * 1024.0 ** " KMGT".index(match[2].upper() or " ") if match else 0.0
    if not 0 < value < _LARGEST:
        raise OfferExpected(f'a size such as "64G" as {name}')
    return int(value)
