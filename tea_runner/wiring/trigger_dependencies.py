"""Triggers of the settings: their secrets, and where their events wait."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tea_runner.core.errors import SettingsError
from tea_runner.settings.load import read_secret
from tea_runner.wiring.process_settings import ProcessSettings

if TYPE_CHECKING:
    from tea_runner.core.events.sender_proof import SenderProof
    from tea_runner.core.events.trigger import Trigger
    from tea_runner.settings.trigger_options import TriggerOptions
    from tea_runner.triggers.event_spool import EventFiles
    from tea_runner.triggers.message import MessageSource


class TriggersSite(ProcessSettings):
    """Triggers of one process."""

    @cached_property
    def triggers(self) -> Mapping[str, Trigger]:
        """The triggers by name."""
        return {each.name: each.trigger for each in self.settings.triggers}

    @cached_property
    def event_spool(self) -> EventFiles:
        """Events that wait to be committed."""
        from tea_runner.triggers.event_spool import EventFiles

        return EventFiles(self.state_folder / "events")

    def sender_proof(self, name: str) -> SenderProof:
        """What senders of a trigger have to show.

        :raises SettingsError: when a file with a secret cannot be read, or holds none.
        """
        from tea_runner.core.events.sender_proof import SenderProof

        options = self._trigger_options[name]
        return SenderProof(
            secrets=_lines(name, "secret_file", options.secret_file),
            tokens=_lines(name, "token_file", options.token_file),
            addresses=options.trigger.addresses,
        )

    def message_source(self, name: str) -> MessageSource:
        """Where the messages of a trigger are read.

        :raises SettingsError: when a file with a secret cannot be read.
        """
        from tea_runner.triggers.source_kinds import SOURCES, SourceOptions

        options = self._trigger_options[name]
        trigger = options.trigger
        return SOURCES[trigger.kind](
            SourceOptions(
                url=trigger.url,
                stream=trigger.stream,
                session=f"{trigger.repository} {name}",
                token=next(iter(_lines(name, "token_file", options.token_file)), ""),
                variables={k: "".join(_lines(name, k, file)) for k, file in options.env},
                every=trigger.every,
                largest=trigger.max_body,
            )
        )

    @cached_property
    def _trigger_options(self) -> Mapping[str, TriggerOptions]:
        return {each.name: each for each in self.settings.triggers}

    def trigger_secrets(self) -> Iterator[str]:
        """All secrets of triggers; a file that cannot be read is reported where it is used."""
        for options in self.settings.triggers:
            for name in ("secret_file", "token_file"):
                try:
                    yield from _lines(options.name, name, getattr(options, name))
                except SettingsError:
                    continue
            for name, file in options.env:
                with contextlib.suppress(SettingsError):
                    yield from _lines(options.name, name, file)


def _lines(trigger: str, name: str, file: Path | None) -> tuple[str, ...]:
    """The secrets in a file, one a line; none without a file."""
    if file is None:
        return ()
    text = read_secret(file, name, f"[[triggers]] {trigger}").reveal()
    return tuple(line.strip() for line in text.splitlines() if line.strip())
