"""Commands that hold workers for ever: the operator's wall clock ends them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pipelines import spec
from tests.hostile.forge import HostileForge


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[HostileForge]:
    """A server whose operator gives each datum a second."""
    made = HostileForge(tmp_path, walls='wall_clock = "1s"')
    yield made
    made.close()


_SAID = "the datum took longer than the 1 s that sandbox.wall_clock allows"
_FOREVER = {"datum_timeout": "1000h", "job_timeout": "1000h"}


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("sleep 1000000", {}),
        ("sleep 1000000", _FOREVER),
        ("sleep 0.4; false", {"datum_tries": 100}),
    ],
    ids=["no timeout", "long timeouts", "many tries"],
)
def test_a_datum_ends_at_the_operators_wall_clock(
    forge: HostileForge, command: str, more: dict[str, object]
) -> None:
    """Whatever the pipeline asks for, all its tries together have that time; the setting is named."""
    began = time.monotonic()
    forge.make("mine", {"files": {"up/spec.yml": spec("up", command, **more)}})
    met = forge.meet("mine")
    assert ("failed", True) == (met.state, _SAID in met.said), met.said
    assert time.monotonic() - began < 20


def test_an_error_handler_has_what_is_left(forge: HostileForge) -> None:
    """It does not start a second clock."""
    handler = {"err_cmd": ["sleep", "1000000"]}
    text = spec("up", "sleep 0.3; false", transform=handler, datum_tries=1)
    forge.make("mine", {"files": {"up/spec.yml": text}})
    met = forge.meet("mine")
    assert ("failed", True) == (met.state, _SAID in met.said), met.said


def test_a_shorter_timeout_of_the_pipeline_counts(forge: HostileForge) -> None:
    """And is named."""
    text = spec("up", "sleep 1000000", datum_timeout="200ms", datum_tries=1)
    forge.make("mine", {"files": {"up/spec.yml": text}})
    assert "longer than its datum_timeout of 0.2 s" in forge.meet("mine").said
