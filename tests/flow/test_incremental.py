"""Incremental planning: the plans of planning from nothing, at the cost of what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.flow import incremental_edited_or_missing_outputs, incremental_planner, input_links
from tea_runner.flow.commit_reader import open_commit
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.make_plan import PlannedCommit, make_plan
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.read_manifest import read_manifest
from tests.twins.files import Content
from tests.twins.lab import MemoryLab, failing, write_key
from tests.twins.specs import pfs, spec

# -- incremental plan = plan from nothing ----------------------------------------------------


def pipelines(salt: str = "", shape: int = 0) -> dict[str, str]:
    """Pipelines of all kinds: of files, of directories, placed, of another's results, crossed."""
    glob = ["/*", "/**.txt", "/(*)/"][shape]
    place = {} if shape == 2 else {"output": {"path": "by/$1"}}
    return {
        "copy/spec.yml": spec("copy", pfs(glob=glob), salt=salt),
        "place/spec.yml": spec("place", pfs(glob="/(*).txt"), **place),
        "sum/spec.yml": spec("sum", pfs("copy", "/"), on_failure="publish"),
        "cross/spec.yml": spec(
            "cross", {"cross": [pfs(glob="/a*", name="in"), pfs("more", "/*", "b")]}
        ),
        "never/spec.yml": spec(
            "never",
            {
                "cross": [
                    pfs(glob="/*", name="in"),
                    pfs("more", "/", "b", propagation_spec={"never": True}),
                ]
            },
        ),
    }


FILES: dict[str, Content | None] = {"raw/a.txt": "a", "raw/d/b.txt": "b", "more/m": "m"}

PATHS = st.sampled_from(
    ["raw/a.txt", "raw/b.txt", "raw/c.txt", "raw/a2", "raw/d/b.txt", "raw/d/c.txt", "more/n"]
)
#: One step of a dataset's history.
STEPS = st.one_of(
    st.tuples(st.just("write"), PATHS, st.sampled_from("xyz")),
    st.tuples(st.just("remove"), PATHS),
    st.tuples(st.just("code"), st.sampled_from(["code/t.py", "copy/t.py"]), st.sampled_from("12")),
    st.tuples(st.just("spec"), st.sampled_from(["", "s"]), st.integers(0, 2)),
    st.tuples(st.just("lose"), st.integers(0, 9)),
    st.tuples(st.just("work"), st.booleans()),
    st.tuples(st.just("advance")),
    st.tuples(st.just("back"), st.integers(0, 5)),
)


@dataclass
class History:
    """A dataset that is edited step by step, and planned both ways after each step."""

    lab: MemoryLab
    commits: list[str]

    def step(self, kind: str, *values: object) -> None:
        """Do one step."""
        lab, push = self.lab, self.lab.push
        if kind == "write":
            push({str(values[0]): str(values[1])})
        elif kind == "remove":
            push({str(values[0]): None, "raw/a.txt": "a"})
        elif kind == "code":
            push({str(values[0]): str(values[1])})
        elif kind == "spec":
            push(dict(pipelines(str(values[0]), int(str(values[1])))))
        elif kind == "lose":
            outputs = [f"copy/{path}" for path in lab.files("copy")]
            push(dict.fromkeys(outputs[int(str(values[0])) :][:1]))
        elif kind == "work":
            lab.work(failing("in:a.txt", "in:/a.txt") if values[0] else write_key)
        elif kind == "back":
            lab.dataset.forge["refs/heads/main"] = self.commits[
                int(str(values[0])) % len(self.commits)
            ]
        else:
            lab.advance()
        self.commits.append(lab.tip())

    def plans(self) -> tuple[PlannedCommit, PlannedCommit]:
        """The plan of the tip by the planner that saw all commits, and by one that saw none."""
        return self._plan(self.lab.planner), self._plan(None)

    def _plan(self, planner: IncrementalPlanner | None) -> PlannedCommit:
        lab = self.lab
        lab.dataset.refresh()
        cache = planner.cache if planner else PlanningCache()
        return make_plan(
            lab.dataset,
            open_commit(lab.dataset.objects, lab.tip(), cache),
            failures=lambda keys: lab.queue.failures(lab.dataset.name, keys),
            planner=planner,
        )


def facts(planned: PlannedCommit, plan: PipelinePlan) -> Mapping[str, object]:
    """All that a plan says about a pipeline, and all that is derived of it."""
    inputs = planned.works.get(plan.pipeline.name)
    before = read_manifest(planned.tip.tree, plan.pipeline.home)
    found: dict[str, object] = {
        "state": (plan.state, plan.reason, plan.detail),
        "decisions": plan.decisions,
        "counts": +plan.counts,
        "moving": [decision for decision in plan.decisions if decision.action != "current"],
        "claimed moving": list(plan.moving),
        "gone": sorted(plan.gone(before)),
        "parts": dict(plan.parts),
    }
    found["claimed moving"] = sorted(plan.moving)
    found["moving"] = sorted(d for d in plan.decisions if d.action != "current")
    if inputs is not None:
        found |= {
            "keyed": inputs.keyed,
            "datums": inputs.datums,
            "code": inputs.code,
            "found": [inputs.find(item.label) for item in inputs.keyed],
            "commits": [source.commit for source in inputs.sources],
            "paths": [inputs.input_paths(datum) for datum in inputs.datums],
            "views": [inputs.view(datum).inputs for datum in inputs.datums],
        }
    return found


def assert_equal(planned: PlannedCommit, full: PlannedCommit) -> None:
    """Both plans say the same about every pipeline."""
    assert planned.plan.problems == full.plan.problems
    names = [plan.pipeline.name for plan in full.plan.pipelines]
    assert names == [plan.pipeline.name for plan in planned.plan.pipelines]
    for one, other in zip(planned.plan.pipelines, full.plan.pipelines, strict=True):
        assert facts(planned, one) == facts(full, other), one.pipeline.name


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=1, max_size=10))
def test_incremental_plans_equal_plans_from_nothing(steps: list[tuple[object, ...]]) -> None:
    """Whatever is written, removed, lost, published or pushed back: decisions, keys, reasons, counts."""
    history = History(MemoryLab(), [])
    history.lab.push({**FILES, **pipelines()})
    history.commits.append(history.lab.tip())
    history.lab.settle()
    for step in steps:
        history.step(str(step[0]), *step[1:])
        assert_equal(*history.plans())


def test_edited_datums_with_one_content_are_decided_in_their_order() -> None:
    """The first of them runs and the others reuse it, in whatever order they were edited."""
    lab = MemoryLab()
    lab.push({"raw/a": "1", "raw/b": "2", "raw/c": "3", "copy/spec.yml": spec("copy")})
    lab.settle()
    history = History(lab, [lab.tip()])
    # Names are part of keys, so that equal content is not enough: the command sees placed names.
    lab.push({"copy/spec.yml": spec("copy", pfs(glob="/(*)"), output={"path": "$1"})})
    lab.settle()
    history.plans()
    lab.push({"raw/c": "new"})
    history.plans()
    lab.push({"raw/a": "new"})

    planned, full = history.plans()
    assert_equal(planned, full)
    assert {"in:a": "run", "in:b": "current", "in:c": "reuse"} == {
        d.label: d.action for d in full.plan.pipelines[0].decisions
    }


# -- cost ------------------------------------------------------------------------------------


def many(count: int, *, chain: bool) -> dict[str, str]:
    """So many pipelines of three datums, side by side, or each the reader of the one before."""
    sources = [f"p{number - 1:03}" if chain and number else "raw" for number in range(count)]
    return {
        **{f"raw/{number}": str(number) for number in range(3)},
        **{
            f"p{number:03}/spec.yml": spec(f"p{number:03}", pfs(source), salt=str(number))
            for number, source in enumerate(sources)
        },
    }


def steps_of_a_whole_run(
    count: int, monkeypatch: pytest.MonkeyPatch, *, chain: bool = False
) -> Counter[str]:
    """How often a run derives inputs, reads file facts and asks for known results."""
    counts: Counter[str] = Counter()

    def counted(where: object, name: str) -> None:
        plain = getattr(where, name)

        def call(*args: object, **how: object) -> object:
            counts[name] += 1
            return plain(*args, **how)

        monkeypatch.setattr(where, name, call)

    with monkeypatch.context() as patch:
        monkeypatch = patch
        lab = MemoryLab()
        counted(incremental_planner, "shared_inputs")
        counted(incremental_planner, "list_datums")
        counted(input_links, "list_files")
        counted(lab.dataset, "signed_results")
        lab.push(many(count, chain=chain))
        while True:
            done = lab.advance()
            if not lab.work():
                break
    assert {"settled"} == {progress.state for progress in done.pipelines.values()}
    return counts


@pytest.mark.parametrize(("few", "chain"), [(10, False), (8, True)], ids=["side by side", "chain"])
def test_the_cost_of_a_run_is_linear_in_the_number_of_pipelines(
    few: int, chain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one is settled, only that one and its readers are derived again."""
    small = steps_of_a_whole_run(few, monkeypatch, chain=chain)
    large = steps_of_a_whole_run(4 * few, monkeypatch, chain=chain)

    assert small.keys() == large.keys() >= {"shared_inputs", "list_datums", "list_files"}
    ratios = {name: large[name] / small[name] for name in small}
    assert {} == {name: ratio for name, ratio in ratios.items() if ratio > 4.4}


# -- memory ----------------------------------------------------------------------------------


def test_missing_outputs_of_former_homes_are_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of them does not grow with the history of a branch."""
    monkeypatch.setattr(incremental_edited_or_missing_outputs, "_MAX_ROWS", 4)
    lab = MemoryLab()
    for number in range(10):
        lab.push({"raw/a": str(number), "copy/spec.yml": spec("copy")})
        lab.settle()
        lab.planner.evict_unused()

    kept = lab.planner._differences
    assert len(kept) <= 6


def test_rows_outside_of_the_edits_are_decided_anew() -> None:
    """A manifest that somebody changed by hand is not taken for what was settled."""
    lab = MemoryLab()
    # Else the output without a row would count as code, and change all keys.
    text = spec("copy", transform={"code": ["/code/**"]})
    lab.push({"raw/a": "1", "raw/b": "2", "copy/spec.yml": text})
    lab.settle()
    history = History(lab, [])
    history.plans()
    entry = lab.view().tree.entry("copy/manifest.tsv")
    assert entry is not None
    text = (lab.dataset.objects.raw(entry.oid, "blob") or b"").decode()
    rows = [line for line in text.splitlines(keepends=True) if not line.startswith("in:b")]
    lab.push({"copy/manifest.tsv": "".join(rows), "raw/a": "3"})

    assert_equal(*history.plans())
