"""One id through repositories: results commits name the push that caused them, however far above."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tea_runner.core.planning.downstream_run_graph import cascade
from tests.cli.dataset import tea
from tests.e2e.lab import Lab
from tests.e2e.test_across_datasets import IN_GIT, Group, shout, spec, start

Count = tuple[str, Callable[[], int]]


def _causes(group: Group, name: str) -> list[str]:
    bare = group.forge / "lab" / f"{name}.git"
    said = group.lab.git(
        "--git-dir", str(bare), "log", "-1", "--format=%B", "main", cwd=group.lab.root
    )
    return [line.removeprefix("Tea-Cause: ") for line in said.splitlines() if "Tea-Cause" in line]


def _tip(group: Group, name: str) -> str:
    bare = group.forge / "lab" / f"{name}.git"
    return group.lab.git("--git-dir", str(bare), "rev-parse", "main", cwd=group.lab.root).strip()


@pytest.mark.long
def test_a_push_is_named_through_two_repositories(lab: Lab, counted: Count) -> None:
    """In messages that depend on inputs alone, in the runs, and as a graph."""
    counter, _ = counted
    group = start(lab, counter, track=True)
    group.make("last")
    group.write("last", {".gitattributes": IN_GIT})
    add = ("git", "-c", "protocol.file.allow=always", "submodule", "-q", "add")
    lab.do(*add, (group.forge / "lab/data.git").as_uri(), "data", cwd=group.clones["last"])
    group.write(
        "last",
        {"end/spec.yml": spec("end", "data/shout", shout(counter), track=True, glob="/*.txt")},
    )
    group.push("last")
    group.announce("last")

    group.write("raw", {"in/a.txt": "aa\n"})
    pushed = group.push("raw")
    group.announce("raw")
    # Nothing is processed in raw, which has no pipelines: its move is announced by the planner.
    group.announce("data")
    group.announce("last")
    assert [pushed] == _causes(group, "data")
    assert [pushed] == _causes(group, "last"), "not the results commit between them"

    runs = lab.site().runs
    data = runs.latest(1, "lab/data")[0]
    last = runs.latest(1, "lab/last")[0]
    assert ([pushed], [pushed]) == (data.causes, last.causes)
    assert [f"lab/raw@{pushed}"] == data.pins
    assert [f"lab/data@{_tip(group, 'data')}"] == last.pins
    found = cascade(data, runs.recent(100))
    assert [data.id, last.id] == [run.id for run in found.runs]
    assert [data.id] == found.upstream[last.id]

    config = str(lab.root / "hosts/host/tea-runner.toml")
    shown = tea(lab.root, "--config", config, "show", data.id, "--downstream", "--json")
    assert (0, [data.id, last.id]) == (shown.code, [row["id"] for row in json.loads(shown.out)])
    shown = tea(lab.root, "--config", config, "show", data.id, "--downstream")
    assert f"lab/last main {last.commit[:10]} {last.id} ← lab/data" in shown.out


@pytest.mark.long
def test_the_same_push_makes_the_same_commit(lab: Lab, counted: Count) -> None:
    """Planned again from nothing, on a host that has forgotten all."""
    counter, _ = counted
    group = start(lab, counter, track=True)
    group.write("raw", {"in/a.txt": "aa\n"})
    pushed = group.push("raw")
    before = _tip(group, "data")
    group.announce("data")
    first = _tip(group, "data")
    assert [pushed] == _causes(group, "data")
    bare: Path = group.forge / "lab/data.git"
    lab.git("--git-dir", str(bare), "update-ref", "refs/heads/main", before, cwd=lab.root)
    lab.forget()
    group.announce("data")

    assert first == _tip(group, "data")


@pytest.mark.long
def test_a_diamond_of_repositories_comes_to_rest_with_one_cause(lab: Lab, counted: Count) -> None:
    """Two repositories follow the first, and the last one both: it ends with the results of both."""
    counter, count = counted
    group = start(lab, counter, track=True)
    add = ("git", "-c", "protocol.file.allow=always", "submodule", "-q", "add")
    group.make("right")
    group.write("right", {".gitattributes": IN_GIT})
    lab.do(*add, (group.forge / "lab/raw.git").as_uri(), "raw", cwd=group.clones["right"])
    group.write("right", {"shout/spec.yml": spec("shout", "raw/in", shout(counter), track=True)})
    group.push("right")
    group.announce("right")
    group.make("last")
    group.write("last", {".gitattributes": IN_GIT})
    for name in ("data", "right"):
        url = (group.forge / f"lab/{name}.git").as_uri()
        lab.do(*add, url, name, cwd=group.clones["last"])
    join = "pipeline:\n  name: join\ninput:\n  cross:\n" + "".join(
        f"    - pfs:\n        name: {name}\n        repo: {name}/shout\n        glob: /\n"
        "        track: true\n"
        for name in ("data", "right")
    )
    words = f"{counter}; cat $PFS/data/a.txt $PFS/right/a.txt > $PFS/out/all.txt"
    text = f'{join}transform:\n  cmd: ["sh", "-c", {words!r}]\n'
    group.write("last", {"join/spec.yml": text})
    group.push("last")
    group.announce("last")
    count()
    before = len(group.log("last"))

    group.write("raw", {"in/a.txt": "new\n"})
    pushed = group.push("raw")
    group.announce("raw")
    group.announce("last")

    assert "NEW\nNEW\n" == group.show("last", "join/all.txt")
    for name in ("data", "right", "last"):
        assert [pushed] == _causes(group, name), name
    assert len(group.log("last")) - before <= 2
    assert count() <= 4
    ended = [group.log(name) for name in ("data", "right", "last")]
    for name in ("raw", "data", "right", "last"):
        group.announce(name)
    assert ended == [group.log(name) for name in ("data", "right", "last")]
    assert 0 == count()
