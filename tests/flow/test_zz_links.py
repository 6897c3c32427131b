"""Links in plans made from the plan before: as in plans from nothing, at the cost of a change."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tea_runner.flow import incremental_planner
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.make_plan import make_plan
from tests.flow.test_incremental import facts
from tests.twins.files import Content, Symlink
from tests.twins.lab import MemoryLab
from tests.twins.plans import reasons
from tests.twins.specs import pfs, spec

#: Of files and links; those of ``far`` are outside of the input.
PATHS = ["raw/a", "raw/b", "raw/d/c", "raw/e", "far/x", "far/y", "far/d/z", "code/run.sh", "code/l"]
PATHS += ["far/c", "code/far"]
TARGETS = [
    "a",
    "b",
    "d",
    "../far/x",
    "../far/d",
    "../far",
    "../raw/d/c",
    "../raw",
    "/x",
    "nowhere",
    "../code",
]
STEP = st.tuples(
    st.sampled_from(PATHS), st.one_of(st.sampled_from(TARGETS).map(Symlink), st.sampled_from("xyz"))
) | st.tuples(st.sampled_from(PATHS), st.none())


@settings(
    max_examples=1500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(st.lists(STEP, min_size=1, max_size=2), max_size=6),
    glob=st.sampled_from(["/*", "/**", "/", "/*/*", "/d/*"]),
)
def test_planning_from_the_plan_before_gives_the_same(
    steps: list[list[tuple[str, Content | None]]], glob: str
) -> None:
    """Whatever is a link, a file, a folder, or nothing after each step."""
    lab = MemoryLab()
    lab.push(
        {
            "raw/first": "f",
            "far/first": "f",
            "copy/spec.yml": spec("copy", pfs("raw", glob)),
            "both/spec.yml": spec("both", {"cross": [pfs("raw", glob), pfs("far", "/", "f")]}),
        }
    )
    planner = IncrementalPlanner()
    for number, step in enumerate(steps):
        lab.push(dict(step))
        if number == 2:
            lab.settle()
        lab.dataset.refresh()
        plans = []
        for one in (planner, None):
            cache = (
                lab.view()
                if one is None
                else open_commit(lab.dataset.objects, lab.tip(), one.cache)
            )
            planned = make_plan(lab.dataset, cache, failures=lambda _: {}, planner=one)
            plans.append([facts(planned, plan) for plan in planned.plan.pipelines])
        assert plans[0] == plans[1]


def test_a_change_is_not_planned_from_nothing_because_of_links(
    lab: MemoryLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only datums of changed files and of links to them are looked at again."""
    files: dict[str, Content | None] = {f"raw/{number}": "x" for number in range(20)}
    links = {"raw/l": Symlink("../far/x"), "raw/d": Symlink("../far/d")}
    lab.push({**files, **links, "far/x": "1", "far/d/z": "z", "copy/spec.yml": spec("copy")})
    lab.settle()

    def refused(*_: object) -> None:
        raise AssertionError("planned from nothing")

    monkeypatch.setattr(incremental_planner, "list_datums", refused)
    lab.push({"raw/3": "y", "other": "unrelated"})
    assert "run" == reasons(lab)["in:3"][0]
    lab.push({"far/x": "2"})
    changed = {label for label, (action, _) in reasons(lab).items() if action == "run"}
    assert {"in:3", "in:l"} == changed


def test_a_link_above_the_files_of_a_glob_that_leads_to_a_folder_now_is_followed(
    lab: MemoryLab,
) -> None:
    """The glob names files below the link; it named none as long as the link led nowhere."""
    lab.push({"raw/l": Symlink("d"), "copy/spec.yml": spec("copy", pfs("raw", "/*/*"))})
    assert {} == reasons(lab)

    lab.push({"raw/d/c": "x"})

    assert {"in:d/c", "in:l/c"} == set(reasons(lab))
