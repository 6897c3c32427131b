"""Questions about the datums of a run, which a planner answers: it has the repository open."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from tea_runner.core.hmac_text import seal_fields, unseal_fields

QuestionKind = Literal["plan", "status", "why", "lineage"]


@dataclass(frozen=True, kw_only=True)
class RunQuestion:
    """What somebody wants to know of the commit of a run.

    :param commit: the pushed commit; of a branch that has it still, the results upon it count.
    :param pipelines: names, for ``plan`` and ``status``; all when empty.
    :param about: a datum or a path, for ``why`` and ``lineage``.
    :param downstream: whether ``lineage`` leads to results instead of inputs.
    """

    kind: QuestionKind
    repository: str
    branch: str
    commit: str
    pipelines: tuple[str, ...] = ()
    about: str = ""
    downstream: bool = False

    @property
    def id(self) -> str:
        """32 hex digits; equal for equal questions."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def seal_question(question: RunQuestion, secret: bytes) -> str:
    """The question as a sealed text."""
    return seal_fields("question", asdict(question), secret)


def unseal_question(text: str | bytes, secret: bytes) -> RunQuestion | None:
    """The question in a sealed text; None when it is none of this secret."""
    fields = unseal_fields("question", text, secret)
    if fields is None or fields.get("kind") not in get_args(QuestionKind):
        return None
    try:
        pipelines = tuple(map(str, fields.pop("pipelines")))
        downstream, kind = bool(fields.pop("downstream")), fields.pop("kind")
        texts = {name: str(value) for name, value in fields.items()}
        return RunQuestion(kind=kind, pipelines=pipelines, downstream=downstream, **texts)
    except (KeyError, TypeError):
        return None
