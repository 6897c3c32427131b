"""What a pipeline file says about its command, as the command itself meets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tea_runner.broker.run_store import RunStore
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, Step, pfs, push, spec, tree

Counted = tuple[str, Callable[[], int]]
RAW = {"raw/a.txt": "a\n", "raw/b.txt": "b\n"}
ONE_TRY = {"datum_tries": 1}


def leaf(name: str, **more: object) -> dict[str, object]:
    """An input of this name from the folder of the same name."""
    return {"pfs": {"name": name, "repo": name, "glob": "/(*)-(*)", **more}}


def detail(lab: Lab) -> str:
    """What the latest run says of its first pipeline."""
    return RunStore(lab.site().redis).latest(1)[0].pipelines[0].detail


@pytest.mark.long
def test_a_joined_datum_is_told_where_it_is_and_why(lab: Lab, counted: Counted) -> None:
    """A variable for each input with its file, its commit and what it was joined on; and for the job."""
    names = (
        "t1 t2 t1_COMMIT t2_COMMIT PACH_DATUM_t1_JOIN_ON PACH_DATUM_t2_JOIN_ON PPS_PIPELINE_NAME"
    )
    command = (
        f"{{ for n in {names}; do eval echo $n=\\$$n; done; "
        'for n in PACH_JOB_ID PACH_DATUM_ID PACH_OUTPUT_COMMIT_ID; do eval "v=\\$$n"; '
        'echo $n of ${#v}; done; } | sed "s#$PFS#PFS#" > "$PFS/out/told"'
    )
    joined = {"join": [leaf("t1", join_on="$2"), leaf("t2", join_on="$2")]}
    files = {"t1/x-01": "1\n", "t2/y-01": "2\n", "t2/y-02": "alone\n"}
    lab.create(files={**ATTRIBUTES, **files, "up/spec.yml": spec("up", command, joined)})

    _, count = counted
    assert Step(0, True, "settled") == push(lab, count)
    pushed = lab.git("rev-parse", "HEAD^").strip()
    said = dict(
        line.replace(" of ", "=").split("=") for line in tree(lab, "up")["up/told"].splitlines()
    )
    assert {
        "t1": "PFS/t1/x-01",
        "t2": "PFS/t2/y-01",
        "t1_COMMIT": pushed,
        "t2_COMMIT": pushed,
        "PACH_DATUM_t1_JOIN_ON": "01",
        "PACH_DATUM_t2_JOIN_ON": "01",
        "PPS_PIPELINE_NAME": "up",
        "PACH_JOB_ID": "32",
        "PACH_DATUM_ID": "64",
        "PACH_OUTPUT_COMMIT_ID": "40",
    } == said


def test_grouped_files_come_together(lab: Lab, counted: Counted) -> None:
    """One datum for each value of ``group_by``, which it is told, with all of the value's files."""
    echo, count = counted
    command = f'{echo}; cat "$PFS"/raw/* > "$PFS/out/$PACH_DATUM_raw_GROUP_BY"'
    source = {"group": [leaf("raw", group_by="$1")]}
    files = {"raw/s1-1": "a\n", "raw/s1-2": "b\n", "raw/s2-1": "c\n"}
    lab.create(files={**ATTRIBUTES, **files, "up/spec.yml": spec("up", command, source)})

    assert Step(2, True, "settled") == push(lab, count)
    assert {"up/s1": "a\nb\n", "up/s2": "c\n"} == tree(lab, "up")


@pytest.mark.long
def test_lines_for_stdin_and_the_place_where_it_begins(lab: Lab, counted: Counted) -> None:
    """``stdin`` is what the command reads, ``working_dir`` a folder of the code."""
    said: dict[str, Any] = {"stdin": ["one", "two"], "working_dir": "code"}
    command = 'cat > "$PFS/out/read"; cat note > "$PFS/out/beside"'
    up = spec("up", command, pfs(glob="/"), transform=said)
    lab.create(files={**ATTRIBUTES, **RAW, "code/note": "here\n", "up/spec.yml": up})

    assert Step(0, True, "settled") == push(lab, counted[1])
    assert {"up/read": "one\ntwo\n", "up/beside": "here\n"} == tree(lab, "up")


@pytest.mark.long
def test_empty_files_are_names_only(lab: Lab, counted: Counted) -> None:
    """The command sees files of no bytes and none is fetched; another content is a change."""
    echo, count = counted
    command = f'{echo}; wc -c "$PFS"/in/* | sed "s#$PFS#PFS#" > "$PFS/out/sizes"'
    up = spec("up", command, pfs(glob="/", empty_files=True))
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": up})
    assert Step(1, True, "settled") == push_without_content(lab, count)
    assert "0 PFS/in/a.txt" in tree(lab, "up")["up/sizes"]
    assert "0 total" in tree(lab, "up")["up/sizes"]
    assert Step(1, True, "settled") == push(lab, count, {"raw/a.txt": "other text\n"})


def push_without_content(lab: Lab, count: Callable[[], int]) -> Step:
    """Push the branches alone: what is not in storage cannot be fetched."""
    branch = lab.git("symbolic-ref", "--short", "HEAD").strip()
    lab.git("push", "-q", "origin", branch, "git-annex")
    pushed = lab.git("rev-parse", "HEAD").strip()
    run = lab.settle()
    ran = count()
    return Step(ran, lab.pull() != pushed, run.state if run else "no run")


@pytest.mark.long
def test_a_datum_and_a_job_may_take_so_long(lab: Lab, counted: Counted) -> None:
    """What takes longer is ended and has failed; the sentence says which limit it was."""
    echo, count = counted
    slow = f"{echo}; sleep 60; {COPY}"
    one = spec("up", slow, pfs(glob="/a*"), datum_timeout="300ms", **ONE_TRY)
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": one})
    assert Step(1, False, "failed") == push(lab, count)
    assert "the command took longer than its datum_timeout of 0.3 s" in detail(lab)

    # Timeouts are not in the key: another command, or what has failed would stay so.
    slow = slow.replace("60", "61")
    both = spec("up", slow, job_timeout="500ms", datum_set_spec={"number": 2}, **ONE_TRY)
    assert Step(1, False, "failed") == push(lab, count, {"up/spec.yml": both})
    assert "the job took longer than its job_timeout of 0.5 s" in detail(lab)


@pytest.mark.long
def test_at_most_so_many_jobs_at_once(lab: Lab, counted: Counted) -> None:
    """``parallelism_spec`` is a cap: five datums of unknown pace are two jobs instead of five."""
    echo, count = counted
    files = {f"raw/{number}.txt": f"{number}\n" for number in range(5)}
    up = spec("up", f"{echo}; {COPY}", parallelism_spec={"constant": 2})
    lab.create(files={**ATTRIBUTES, **files, "up/spec.yml": up})
    assert Step(5, True, "settled") == push(lab, count)
    assert 2 == len(RunStore(lab.site().redis).latest(1)[0].pipelines[0].jobs)
    assert {f"up/{number}.txt": f"{number}\n" for number in range(5)} == tree(lab, "up")


@pytest.mark.long
def test_jobs_of_an_earlier_push_count(lab: Lab, counted: Counted) -> None:
    """The cap of ``parallelism_spec`` is one for all pushes of a branch: the rest waits for its turn."""
    echo, count = counted
    up = spec("up", f"{echo}; {COPY}", parallelism_spec={"constant": 1})
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": up})
    lab.push()
    hands = Hands(lab)
    try:
        hands.plan()
        first = set(hands.site.jobs.waiting())
        lab.write({f"raw/{number}.txt": f"{number}\n" for number in range(3)})
        lab.save()
        lab.push()
        hands.plan()
        assert (1, first) == (len(first), set(hands.site.jobs.waiting()))
        assert sorted(first) == hands.work()
        hands.plan()
        second = hands.work()
        advance = hands.plan()
        assert (1, 5) == (len(second), count())
        assert advance is not None
        assert "settled" == advance.pipelines["up"].state
    finally:
        hands.close()


@pytest.mark.long
def test_every_push_runs_all_again_where_that_is_asked_for(lab: Lab, counted: Counted) -> None:
    """``reprocess_spec: every_job``: the push is part of the key."""
    echo, count = counted
    up = spec("up", f"{echo}; {COPY}", reprocess_spec="every_job")
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": up})
    assert Step(2, True, "settled") == push(lab, count)
    assert 2 == push(lab, count, {"README.md": "read me\n"}).ran


@pytest.mark.long
def test_a_run_says_what_has_no_effect(lab: Lab, counted: Counted) -> None:
    """Once for its pipeline, beside the counts; fields of a cluster are no remark."""
    echo, count = counted
    more = {"egress": {"URL": "s3://a"}, "autoscaling": True, "podPatch": "x"}
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": spec("up", f"{echo}; {COPY}", **more)})
    assert Step(2, True, "settled") == push(lab, count)

    assert (
        "egress has no effect (results are pushed only to the dataset's own siblings)"
        == RunStore(lab.site().redis).latest(1)[0].pipelines[0].remark
    )


@pytest.mark.long
def test_a_glob_that_matches_nothing_is_told(lab: Lab, counted: Counted) -> None:
    """On the run's page and in the commit status, which is a success."""
    echo, count = counted
    none = spec("up", f"{echo}; {COPY}", pfs(glob="/*.csv"))
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": none})
    push(lab, count)

    (row,) = RunStore(lab.site().redis).latest(1)[0].pipelines
    assert ("settled", "/*.csv matches nothing in raw") == (row.state, row.remark)


@pytest.mark.long
def test_a_silent_input_starts_nothing_by_itself(lab: Lab, counted: Counted) -> None:
    """``propagation_spec.never``: its change waits for a change of another input, and is seen then."""
    echo, count = counted
    command = f'{echo}; cat "$PFS"/in/* "$PFS"/side/* > "$PFS/out/all"'
    side = pfs("side", "/", name="side", propagation_spec={"never": True})
    source = {"cross": [pfs(glob="/"), side]}
    files = {**ATTRIBUTES, **RAW, "side/s.txt": "s\n", "up/spec.yml": spec("up", command, source)}
    lab.create(files=files)
    assert Step(1, True, "settled") == push(lab, count)
    assert Step(0, False, "settled") == push(lab, count, {"side/s.txt": "quiet\n"})
    assert Step(1, True, "settled") == push(lab, count, {"raw/a.txt": "loud\n"})
    assert {"up/all": "loud\nb\nquiet\n"} == tree(lab, "up")
