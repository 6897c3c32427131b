"""What somebody asks of a run, a job or a pipeline on a page or over the API, which a planner carries out.

The process of the pages may not write jobs and runs: it asks.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from tea_runner.core.hmac_text import seal_fields, unseal_fields

ActionKind = Literal["cancel", "retry", "recompute", "trigger"]


@dataclass(frozen=True, kw_only=True)
class RunAction:
    """One press of a button.

    :param run: id of the run; empty for an action of a job or a branch.
    :param names: pipelines and datums to recompute, all when empty; or the pipeline to start.
    :param branch: where a pipeline starts.
    :param tick: name of the tick with which it starts.
    :param values: names and values of its variables.
    :param by: who asks.
    :param until: when it is not carried out any more, in seconds since 1970.
    :param nonce: makes each press another one.
    """

    kind: ActionKind
    repository: str
    run: str = ""
    job: str = ""
    branch: str = ""
    tick: str = ""
    values: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    by: str
    until: float
    nonce: str

    @property
    def id(self) -> str:
        """32 hex digits."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def seal_action(action: RunAction, secret: bytes) -> str:
    """The action as a sealed text."""
    return seal_fields("action", asdict(action), secret)


def unseal_action(text: str | bytes, secret: bytes) -> RunAction | None:
    """The action in a sealed text; None when it is none of this secret."""
    fields = unseal_fields("action", text, secret)
    if fields is None or fields.get("kind") not in get_args(ActionKind):
        return None
    try:
        kind, names = fields.pop("kind"), tuple(map(str, fields.pop("names")))
        until = float(fields.pop("until"))
        values = tuple((str(name), str(value)) for name, value in fields.pop("values"))
        texts = {name: str(value) for name, value in fields.items()}
        return RunAction(kind=kind, names=names, values=values, until=until, **texts)
    except (KeyError, TypeError, ValueError):
        return None
