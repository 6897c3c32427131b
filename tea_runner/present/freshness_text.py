"""Freshness of results as lines of text or rows of JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from tea_runner.core.datums.datum import shown_label
from tea_runner.core.planning.reasons import SENTENCES
from tea_runner.core.planning.result_freshness import CAUSES, FreshnessState, PipelineFreshness
from tea_runner.present.visible_text import visible

_STATES: tuple[FreshnessState, ...] = ("current", "stale", "missing", "orphaned")
_SHOWN = 40


def results_lines(
    results: Sequence[PipelineFreshness], *, everything: bool = False
) -> Iterator[str]:
    """A table of counts, then a line for each result that is not current."""
    width = max((len(each.name) for each in results if each.owned), default=0)
    for each in results:
        if not each.owned:
            continue
        if each.problem:
            yield f"{each.name:{width}}  blocked: {visible(each.problem)}"
            continue
        counts = Counter(datum.state for datum in each.datums)
        cells = [f"{counts[state]:>6} {state}" for state in _STATES]
        if counts["recovered"]:
            cells.append(f"{counts['recovered']:>6} recovered")
        if counts["waiting"]:
            cells.append(f"{counts['waiting']:>6} waiting")
        yield f"{each.name:{width}}  " + " ".join(cells)
    shown = 0
    for each in results:
        if each.behind:
            yield f"stale(upstream): {each.name}  {', '.join(each.behind)} is not current"
        for datum in each.datums:
            if datum.state == "current" and not everything:
                continue
            shown += 1
            if shown > _SHOWN and not everything:
                continue
            yield visible(
                _line(each, shown_label(datum.datum), datum.state, datum.cause, datum.outputs)
            )
    if shown > _SHOWN and not everything:
        yield f"… and {shown - _SHOWN} more; --all shows them"
    yield _summary(results)


def _line(
    each: PipelineFreshness, datum: str, state: FreshnessState, cause: str, outputs: Sequence[str]
) -> str:
    if state == "orphaned":
        paths = [f"{each.home}/{path}" if each.home else path for path in outputs]
        why = "the datum no longer exists" if each.owned else "the pipeline no longer exists"
        shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        return f"orphaned: {each.name} {datum}  {why}: {shown or 'no files'}"
    if state == "stale":
        return f"stale({cause}): {each.name} {datum}  {CAUSES[cause]}"  # type: ignore[index]
    if state == "recovered":
        return f"recovered: {each.name} {datum}  {SENTENCES['recovered']}"
    if state == "waiting":
        return f"waiting: {each.name} {datum}  {each.waits}"
    return f"{state}: {each.name} {datum}"


def _summary(results: Sequence[PipelineFreshness]) -> str:
    counts = Counter(datum.state for each in results for datum in each.datums)
    if all(each.current for each in results):
        recovered = f", {counts['recovered']} recovered" if counts["recovered"] else ""
        waiting = f", {counts['waiting']} waiting" if counts["waiting"] else ""
        return f"Everything is current: {counts['current']} datums{recovered}{waiting}."
    states = (*_STATES, "recovered", "waiting")
    counted = ", ".join(f"{counts[state]} {state}" for state in states if counts[state])
    return f"{counted or 'no datums'}. See tea-runner why DATUM."


def results_rows(
    results: Sequence[PipelineFreshness], *, everything: bool = True
) -> list[dict[str, object]]:
    """One object per pipeline, for JSON; the names are stable.

    :param everything: with the datums that are current.
    """
    return [
        {
            "name": each.name,
            "home": each.home,
            "pipeline": each.owned,
            "current": each.current,
            "behind": list(each.behind),
            "problem": each.problem,
            "waits": each.waits,
            "counts": dict(Counter(datum.state for datum in each.datums)),
            "datums": [
                {
                    "datum": datum.datum,
                    "state": datum.state,
                    "cause": datum.cause,
                    "outputs": list(datum.outputs),
                }
                for datum in each.datums
                if everything or datum.state != "current"
            ],
        }
        for each in results
    ]
