"""Checks of the triggers of the settings: whether their events can come, and be committed."""

from __future__ import annotations

from collections.abc import Iterator

from tea_runner.cli.installation_checks import Finding
from tea_runner.cli.trigger_source_checks import check_source
from tea_runner.core.errors import TeaError
from tea_runner.core.events.trigger import Trigger
from tea_runner.wiring import Site

#: Events that wait before that is a warning.
_MANY = 100


def check_triggers(site: Site) -> Iterator[Finding]:
    """One finding for each trigger, and one for the process that commits their events."""
    yield _process(site)
    for trigger in site.triggers.values():
        yield _trigger(site, trigger)


def _process(site: Site) -> Finding:
    lacking = "none runs, so events wait; start one with: tea-runner triggers"
    try:
        running = [each for each in site.processes.all() if each.kind == "triggers"]
    except TeaError as error:
        return Finding("triggers", "warning", error.message)
    if not running:
        return Finding("triggers", "warning", lacking)
    problem = next((each.problem for each in running if each.problem), "")
    if problem:
        return Finding("triggers", "error", problem)
    return Finding("triggers", "ok", "a process commits their events")


def _trigger(site: Site, trigger: Trigger) -> Finding:
    name = f"trigger {trigger.name}"
    try:
        site.sender_proof(trigger.name)
        if not site.is_watched(trigger.repository):
            text = f"{trigger.repository} is not processed here; list it in repositories"
            return Finding(name, "error", text)
        if trigger.branch not in site.forge.branches(trigger.repository):
            text = f"{trigger.repository} has no branch {trigger.branch}; push it, or set branch"
            return Finding(name, "error", text)
        waiting = len(site.event_spool.waiting(trigger.name))
    except TeaError as error:
        return Finding(name, "error", error.message)
    if waiting >= _MANY:
        return Finding(name, "warning", f"{waiting} events wait; see tea-runner triggers --once")
    if trigger.kind != "webhook":
        state, text = check_source(site, trigger)
        return Finding(name, state, f"{text}; {trigger.repository} {trigger.branch} gets its files")
    goal = f"files below {trigger.folder}" if trigger.folder else "plans"
    where = f"{trigger.repository} {trigger.branch}"
    address = f"{site.settings.web_url}/hooks/in/{trigger.name}"
    return Finding(name, "ok", f"{address} makes {goal} of {where}")
