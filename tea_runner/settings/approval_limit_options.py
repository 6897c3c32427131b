"""Settings of the work that a push may begin by itself."""

from __future__ import annotations

from dataclasses import dataclass

from tea_runner.settings.option import option


@dataclass(frozen=True, kw_only=True)
class LimitsOptions:
    """How much a push may compute before somebody approves it."""

    ask_above: int = option(
        0,
        "Number of datums above which a push waits until somebody who may write to the repository approves "
        "it, on the page of its run or with `tea-runner approve RUN`; 0 never asks.",
        least=0,
    )
    ask_above_hours: float = option(
        0.0,
        "The same for the estimated time of one worker, from the mean time of former datums; 0 never asks.",
        unit="hours",
        least=0,
    )
