"""Signals that wait for the end of a block."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tea_runner.host.deferred_signals import deferred_signals


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """A process that a shell started in the background ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_a_signal_does_not_interrupt_the_block() -> None:
    """It is handled at the end, as it would have been before."""
    before = signal.getsignal(signal.SIGINT)
    steps: list[str] = []

    def block() -> None:
        with deferred_signals():
            os.kill(os.getpid(), signal.SIGINT)
            steps.append("inside")
        steps.append("behind")

    with pytest.raises(KeyboardInterrupt):
        block()

    assert steps == ["inside"]
    assert signal.getsignal(signal.SIGINT) is before


def test_without_a_signal_nothing_is_raised() -> None:
    """The handlers are those of before."""
    before = signal.getsignal(signal.SIGTERM)
    with deferred_signals():
        assert signal.getsignal(signal.SIGTERM) is not before

    assert signal.getsignal(signal.SIGTERM) is before
