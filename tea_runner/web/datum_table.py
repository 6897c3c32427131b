"""One page of the table of a run's datums: chosen, sorted, with what was measured of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from werkzeug.datastructures import MultiDict

from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.planning.run_datum_table import ORDERS, Order
from tea_runner.core.planning.run_status import DatumStatus
from tea_runner.core.planning.states import STATES
from tea_runner.web.page_context import PageContext
from tea_runner.web.run_page_cache import RunView

#: Rows of one page.
_ROWS = 50
#: Orders that need the measures of all jobs.
_MEASURED: tuple[Order, ...] = ("seconds", "cpu", "memory", "read", "written")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which datums are shown, and how."""

    #: Number of the only pipeline, from 1; 0 for all.
    pipeline: int = 0
    state: str = ""
    text: str = ""
    sort: Order = "state"
    page: int = 1

    def address(self, **changes: object) -> dict[str, object]:
        """The choice with changes as parameters of a URL, without defaults."""
        given = {**asdict(self), "page": 1, **changes}
        names = {"text": "q"}
        default = asdict(Choice())
        return {
            names.get(name, name): value
            for name, value in given.items()
            if value != default.get(name)
        }


def read_choice(arguments: MultiDict[str, str]) -> Choice:
    """The choice that a URL makes; what is wrong in it is left out."""
    state, sort = arguments.get("state", ""), arguments.get("sort", "")
    return Choice(
        pipeline=max(0, arguments.get("pipeline", 0, type=int)),
        state=state if state in STATES else "",
        text=arguments.get("q", "")[:200],
        sort=next((each for each in ORDERS if each == sort), "state"),
        page=arguments.get("page", 1, type=int),
    )


@dataclass(frozen=True, kw_only=True)
class ShownDatum:
    """One row of the page."""

    pipeline: str
    #: From 1.
    number: int
    datum: DatumStatus
    measures: DatumMeasures | None


class DatumTable:
    """The rows that a choice shows."""

    def __init__(self, desk: PageContext, view: RunView, choice: Choice) -> None:
        self.choice = choice
        errors = _errors(view) if choice.text else None
        found = view.table.find(
            view.states,
            text=choice.text,
            state=choice.state,
            pipeline=choice.pipeline - 1 if choice.pipeline else None,
            errors=errors,
        )
        measures: Mapping[str, DatumMeasures] = {}
        if choice.sort in _MEASURED:
            measures = desk.views.measures(view, view.facts)
        ordered = view.table.ordered(found, choice.sort, view.states, measures)
        self.number = len(ordered)
        self.pages = max(1, -(-self.number // _ROWS))
        self.page = min(max(1, choice.page), self.pages)
        shown = ordered[(self.page - 1) * _ROWS : self.page * _ROWS]
        if not measures:
            measures = desk.views.measures(view, [view.table.jobs[index] for index in shown])
        names = [row.name for row in view.status.pipelines]
        self.rows = [
            ShownDatum(
                pipeline=names[view.table.pipelines[index]],
                number=view.table.pipelines[index] + 1,
                datum=view.datum(index),
                measures=measures.get(view.table.rows[index].key)
                if view.table.jobs[index]
                else None,
            )
            for index in shown
        ]
        self.chosen = names[choice.pipeline - 1] if 0 < choice.pipeline <= len(names) else ""


def _errors(view: RunView) -> dict[int, str]:
    """Errors of the failed rows, so that the search finds them, too."""
    return {
        index: view.datum(index).error
        for index, state in enumerate(view.states)
        if state in ("failed", "cancelled")
    }
