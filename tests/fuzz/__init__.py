"""Random input for what reads strangers' words: a little with each test run, much with ``make fuzz``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

#: How many times as long as in an ordinary run.
TIMES = int(os.environ.get("TEA_FUZZ", "1"))


def runs(examples: int) -> settings:
    """So many examples, or a multiple; no answer may take longer than a second."""
    return settings(
        max_examples=examples * TIMES,
        deadline=1000 if TIMES > 1 else 5000,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
