"""Where results are known from: other datums, pipelines and branches of one repository."""

from __future__ import annotations

import pytest

from tests.twins.files import Content, Executable
from tests.twins.lab import MemoryLab
from tests.twins.plans import TWO, plan_of, reasons
from tests.twins.specs import pfs, spec

HIDDEN = spec("copy", pfs(glob="/(*).txt"), output={"path": "$1"})


def one_file(_: str, key: str) -> dict[str, Content]:
    """Write a file of one name for every datum."""
    return {"out": key}


def test_equal_content_is_computed_once_where_names_are_hidden(lab: MemoryLab) -> None:
    """With ``output.path`` the command sees no name: two datums have one key."""
    lab.push({"raw/a.txt": "same", "raw/b.txt": "same", "copy/spec.yml": HIDDEN})

    assert sorted(reasons(lab).values()) == [("reuse", "same-content"), ("run", "new")]
    assert len(lab.settle(command=one_file)[1]) == 1
    lab.push({"raw/c.txt": "same"})
    assert lab.settle(command=one_file)[1] == []
    assert set(lab.files("copy")) == {"a/out", "b/out", "c/out"}


def test_a_renamed_input_moves_its_results_where_names_are_hidden(lab: MemoryLab) -> None:
    """Nothing is computed, and nothing is left under the old name."""
    lab.push({"raw/a.txt": "1", "raw/b.txt": "2", "copy/spec.yml": HIDDEN})
    lab.settle(command=one_file)
    before = lab.files("copy")
    lab.push({"raw/a.txt": None, "raw/z.txt": "1"})

    assert lab.settle(command=one_file)[1] == []
    assert lab.files("copy") == {"b/out": before["b/out"], "z/out": before["a/out"]}


def test_another_pipeline_with_the_same_command_is_served(lab: MemoryLab) -> None:
    """Name, home and description are in no key."""
    lab.push(TWO)
    lab.settle()
    lab.push({"deep/er/again/spec.yml": spec("again", description="the same")})

    assert lab.settle()[1] == []
    assert lab.files("deep/er/again") == lab.files("copy")


def test_two_pipelines_at_once_ask_for_one_key_once(lab: MemoryLab) -> None:
    """The second waits for the first one's jobs."""
    lab.push({**TWO, "again/spec.yml": spec("again")})

    assert lab.settle()[1] == ["in:a", "in:b"]
    assert lab.files("again") == lab.files("copy")


def test_another_branch_with_the_same_content_is_served(lab: MemoryLab) -> None:
    """It never saw the results."""
    pushed = lab.push(TWO)
    lab.settle()
    lab.push({}, branch="other", parent=pushed)

    assert lab.settle("other")[1] == []
    assert lab.files("copy", branch="other") == lab.files("copy")


def test_no_datums_at_all_are_settled(lab: MemoryLab) -> None:
    """A glob that matches nothing makes no job, and the first time an empty manifest."""
    lab.push({**TWO, "copy/spec.yml": spec("copy", pfs(glob="/*.none"))})
    done, computed = lab.settle()
    tip = lab.tip()

    assert (computed, done.pipelines["copy"].state) == ([], "settled")
    lab.push({"README": "x"}, message="words")
    lab.settle()
    assert lab.log()[0] == "words"
    assert tip


def test_the_last_datum_takes_its_outputs_along(lab: MemoryLab) -> None:
    """An input folder without data leaves a home without results."""
    lab.push({**TWO, "copy/spec.yml": spec("copy", pfs(glob="/?")), "raw/keep": ""})
    lab.settle()
    lab.push({"raw/a": None, "raw/b": None})

    assert lab.settle()[1] == []
    assert lab.files("copy") == {}


@pytest.mark.parametrize(
    "change",
    [
        {"cmd": ["other"]},
        {"transform": {"env": {"A": "2"}}},
        {"transform": {"stdin": ["x"]}},
        {"transform": {"accept_return_code": [3]}},
        {"salt": "2"},
    ],
)
def test_what_a_command_can_observe_runs_its_pipeline_alone(
    lab: MemoryLab, change: dict[str, object]
) -> None:
    """All of its datums, and none of another; going back runs nothing."""
    lab.push({**TWO, "other/spec.yml": spec("other", cmd=["else"])})
    lab.settle()
    lab.push({"copy/spec.yml": spec("copy", **change)})  # type: ignore[arg-type]
    done, computed = lab.settle()
    assert computed == ["in:a", "in:b"]
    assert done.pipelines["other"].counts == {"current": 2}
    lab.push({"copy/spec.yml": spec("copy")})

    assert lab.settle()[1] == []


def test_what_a_command_cannot_observe_runs_nothing(lab: MemoryLab) -> None:
    """Limits, sets, words; and a home that moves is served from where it was."""
    lab.push(TWO)
    lab.settle()
    changed = {
        "description": "other words",
        "datum_tries": 7,
        "datum_timeout": "1h",
        "job_timeout": "2h",
        "parallelism_spec": {"constant": 3},
        "datum_set_spec": {"number": 2},
        "resource_requests": {"memory": "1G"},
        "on_failure": "publish",
    }
    lab.push({"copy/spec.yml": spec("copy", **changed)})  # type: ignore[arg-type]
    assert plan_of(lab).state == "settled"
    moved = {path: None for path in lab.entries() if path.startswith("copy/")}
    before = lab.files("copy")
    lab.push({**moved, "moved/spec.yml": spec("moved", **changed)})  # type: ignore[arg-type]

    assert lab.settle()[1] == []
    assert lab.files("moved") == before


def test_code_runs_the_pipelines_that_see_it(lab: MemoryLab) -> None:
    """``code/`` is seen by all, unless a pipeline names its own; the executable bit counts."""
    alone = spec("alone", cmd=["else"], transform={"code": ["/alone/*.sh"]})
    lab.push({**TWO, "alone/spec.yml": alone})
    lab.settle()
    changes: list[tuple[dict[str, Content | None], str]] = [
        ({"copy/lib.sh": "x"}, "copy"),
        ({"code/lib.sh": "x"}, "copy"),
        ({"alone/lib.sh": "x"}, "alone"),
        ({"alone/lib.sh": Executable("x")}, "alone"),
    ]
    for change, name in changes:
        lab.push(change)
        lab.advance()
        assert {job.pipeline for job in lab.queue.jobs()} == {name}
        lab.settle()
    lab.push({"code/lib.sh": None, "copy/lib.sh": None})

    assert lab.settle()[1] == []
