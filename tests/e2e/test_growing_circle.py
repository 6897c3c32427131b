"""Datasets that follow each other and never come to rest by content: a brake ends them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.lab import Lab
from tests.e2e.test_across_datasets import spec, start

pytestmark = pytest.mark.long
#: Makes the input one line longer.
_GROW = "cat $PFS/data/*.txt > $PFS/out/x.txt; echo y >> $PFS/out/x.txt"


def test_a_circle_of_datasets_that_grows_is_stopped(
    lab: Lab, counted: tuple[str, Callable[[], int]]
) -> None:
    """Each results commit is new input of the other; the run says what to take out."""
    group = start(lab, counted[0], track=True)
    raw = group.clones["raw"]
    url = (group.forge / "lab" / "data.git").as_uri()
    allow = ("git", "-c", "protocol.file.allow=always")
    lab.do(*allow, "submodule", "-q", "add", url, "data", cwd=raw)
    group.write("raw", {"back/spec.yml": spec("back", "data/grow", _GROW, track=True, glob="/")})
    group.push("raw")
    lab.pull()
    lab.write({"grow/spec.yml": spec("grow", "raw/in", _GROW, track=True, glob="/")})
    lab.save("grow")
    lab.push()
    group.announce("data")
    lab.pull()
    lab.write({"grow/spec.yml": spec("grow", "raw/back", _GROW, track=True, glob="/")})
    lab.save("follow what comes back")
    lab.push()
    group.announce("raw")
    group.announce("data")

    ended = group.log("raw"), group.log("data")
    assert len(ended[0]) < 20
    (stopped,) = [run for run in lab.site().runs.recent(100) if run.state == "failed"]
    assert "datasets follow one another in a circle" in stopped.pipelines[0].detail
    assert "take track out of one of them" in stopped.pipelines[0].detail
    group.announce("raw")
    group.announce("data")
    assert ended == (group.log("raw"), group.log("data"))
