"""Orders of people: pauses, their ends, and approvals of work; sealed, so that Redis alone makes none.

The latest order about a subject counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

from tea_runner.core.hmac_text import seal_fields, unseal_fields

OrderKind = Literal["pause", "resume", "approve", "approve pull request"]

#: Seconds for which orders are kept; a pause stays until it ends.
KEPT = 90 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class Order:
    """What one person ordered.

    :param repository: empty in a pause of everything.
    :param pipeline: of a pause; empty for all pipelines.
    :param branch: of an approval.
    :param commit: the pushed commit that is approved.
    :param by: who ordered it.
    :param at: when, in seconds since 1970.
    """

    kind: OrderKind
    repository: str = ""
    pipeline: str = ""
    branch: str = ""
    commit: str = ""
    by: str = ""
    at: float = 0.0

    @property
    def subject(self) -> str:
        """What it is about: a later order about the same replaces it."""
        about = "pause" if self.kind in ("pause", "resume") else self.kind
        return "\n".join((about, self.repository, self.pipeline, self.branch))

    @property
    def place(self) -> str:
        """What is paused: ``everything``, ``lab/data``, or ``pipeline copy of lab/data``."""
        if not self.repository:
            return "everything"
        return (
            f"pipeline {self.pipeline} of {self.repository}" if self.pipeline else self.repository
        )


def pause_of(orders: Iterable[Order], repository: str, pipeline: str) -> Order | None:
    """The pause that keeps a pipeline's jobs from beginning, the widest first; None for none."""
    found = [
        order
        for order in orders
        if order.kind == "pause"
        and order.repository in ("", repository)
        and order.pipeline in ("", pipeline)
    ]
    return min(found, key=lambda order: (order.repository, order.pipeline), default=None)


def approval_of(
    orders: Iterable[Order], kind: OrderKind, repository: str, branch: str, commit: str
) -> Order | None:
    """The approval of a commit on a branch; None for none."""
    wanted = (kind, repository, branch, commit)
    return next(
        (
            order
            for order in orders
            if (order.kind, order.repository, order.branch, order.commit) == wanted
        ),
        None,
    )


def newest(*sides: Mapping[str, Order]) -> dict[str, Order]:
    """The latest order about each subject."""
    found: dict[str, Order] = {}
    for side in sides:
        for subject, order in side.items():
            if subject not in found or order.at > found[subject].at:
                found[subject] = order
    return found


def is_outdated(order: Order, now: float) -> bool:
    """Whether nobody needs to know of it any more."""
    return order.kind != "pause" and now - order.at > KEPT


def seal_order(order: Order, secret: bytes) -> str:
    """The order as a sealed text."""
    return seal_fields("order", asdict(order), secret)


def unseal_order(text: str | bytes, secret: bytes) -> Order | None:
    """The order in a sealed text; None when the seal is not of this secret, or the text is no order."""
    fields = unseal_fields("order", text, secret)
    if fields is None or fields.get("kind") not in get_args(OrderKind):
        return None
    try:
        at, kind = float(fields.pop("at")), fields.pop("kind")
        return Order(kind=kind, at=at, **{name: str(value) for name, value in fields.items()})
    except (KeyError, TypeError, ValueError):
        return None
