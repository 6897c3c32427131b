"""Tables ``[[triggers]]`` of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tea_runner.core.events.trigger import KINDS, Trigger, trigger_problem


class TriggerExpected(ValueError):
    """The table is not valid; the message is the expected form."""


@dataclass(frozen=True, kw_only=True)
class TriggerOptions:
    """A trigger, and the files with its secrets.

    :param secret_file: a line for each secret that signs bodies.
    :param token_file: a line for each bearer token.
    """

    trigger: Trigger
    secret_file: Path | None = None
    token_file: Path | None = None
    #: (variable, file) pairs: credentials of kinesis, nats and mqtt.
    env: tuple[tuple[str, Path], ...] = ()

    @property
    def name(self) -> str:
        """Name of the trigger."""
        return self.trigger.name


#: Fields with the paths of files.
_FILES = ("secret_file", "token_file", "env")
_OWN = {each.name: each for each in fields(Trigger)}


def read_trigger(raw: object, files: Mapping[str, Any]) -> TriggerOptions:
    """A table as it is in the settings.

    :param files: values of the fields that name files, made absolute.
    :raises TriggerExpected: with the expected form.
    """
    if not isinstance(raw, dict):
        raise TriggerExpected("a [[triggers]] table with name, kind and repository")
    name = raw.get("name", "")
    where = f"in [[triggers]] {name}" if isinstance(name, str) and name else "in [[triggers]]"
    for key in raw:
        if key not in _OWN and key not in _FILES:
            allowed = ", ".join(sorted((*_OWN, *_FILES)))
            raise TriggerExpected(f"no {key!r} {where}: only {allowed}")
    for key in ("name", "kind", "repository"):
        if not raw.get(key):
            raise TriggerExpected(f"{key} {where}")
    if raw["kind"] not in KINDS:
        raise TriggerExpected(f"kind {where} as one of {', '.join(KINDS)}")
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key in _OWN:
            values[key] = _value(key, value, where)
    trigger = Trigger(**values)
    if problem := trigger_problem(trigger):
        raise TriggerExpected(f"{problem} {where}")
    options = TriggerOptions(trigger=trigger, **files)
    if trigger.kind == "webhook" and not (files or trigger.addresses):
        raise TriggerExpected(f"secret_file, token_file or addresses {where}")
    return options


def _value(key: str, value: object, where: str) -> object:
    if key == "addresses":
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        raise TriggerExpected(f"a list of addresses {where}")
    if key == "max_body":
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 64 << 20:
            return value
        raise TriggerExpected(f"max_body in bytes, at most {64 << 20}, {where}")
    if key == "every":
        if isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value < 10**6:
            return float(value)
        raise TriggerExpected(f"every as a number of seconds, at least 1, {where}")
    if not isinstance(value, str) or "\0" in value or "\n" in value:
        raise TriggerExpected(f"one line of text as {key} {where}")
    return value
