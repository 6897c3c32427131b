"""A dataset in memory for each test."""

from __future__ import annotations

import pytest

from tests.twins.lab import MemoryLab


@pytest.fixture
def lab() -> MemoryLab:
    """An empty dataset."""
    return MemoryLab()
