"""Starts by hand: who has a pipeline tick, with which values of its variables; sealed while they wait."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tea_runner.core.hmac_text import seal_fields, unseal_fields
from tea_runner.core.planning.tick_names import tick_time

_KIND = "tick"


@dataclass(frozen=True, kw_only=True)
class AskedTick:
    """What a person asked for on one branch."""

    repository: str = ""
    branch: str = ""
    pipeline: str
    #: The name of the tick: when it was asked for.
    tick: str
    #: Values of variables, sorted by name; the others have their defaults from now on.
    variables: tuple[tuple[str, str], ...] = ()
    by: str = ""


def seal_tick(asked: AskedTick, secret: bytes) -> str:
    """It as a sealed text, the same for the same."""
    return seal_fields(_KIND, asdict(asked), secret)


def unseal_tick(text: str | bytes, secret: bytes) -> AskedTick | None:
    """What a sealed text asks for; None when it is none of this secret."""
    fields = unseal_fields(_KIND, text, secret)
    if fields is None:
        return None
    try:
        variables = tuple((str(name), str(value)) for name, value in fields.pop("variables"))
        asked = AskedTick(variables=variables, **{k: str(v) for k, v in fields.items()})
        tick_time(asked.tick)
    except (KeyError, TypeError, ValueError):
        return None
    return asked
