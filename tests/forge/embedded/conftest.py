"""An embedded forge with an owner and a bot that may write everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faulty_forge import FaultyForge


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[FaultyForge]:
    """Serving on a free port."""
    with FaultyForge(tmp_path / "forge") as running:
        running.add_user("ada", "correct horse")
        running.add_user("eve", "battery staple")
        running.add_user("bot", "paper clip", admin=True)
        yield running
