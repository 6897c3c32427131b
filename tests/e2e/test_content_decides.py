"""Content decides what runs: each sentence of the promise, with executions that the commands count."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, Step, pfs, push, spec, tree

Counted = tuple[str, Callable[[], int]]

RAW = {"raw/a.txt": "a\n", "raw/b.txt": "b\n", "raw/c.txt": "c\n"}
NOTHING = Step(0, False, "settled")


def begin(lab: Lab, counted: Counted, **files: str) -> Callable[[], int]:
    """A dataset with three files and a pipeline ``up`` that copies them, settled."""
    echo, count = counted
    specs = files or {"up": spec("up", f"{echo}; {COPY}")}
    named = {f"{home}/spec.yml": text for home, text in specs.items()}
    lab.create(files={**ATTRIBUTES, **RAW, **named})
    first = push(lab, count)
    assert (True, "settled") == (first.moved, first.state)
    return count


@pytest.mark.long
def test_what_is_unchanged_runs_nothing_and_makes_no_commit(lab: Lab, counted: Counted) -> None:
    """The same tip announced again, an empty commit, and a README alone lead to nothing at all."""
    count = begin(lab, counted)

    assert NOTHING == push(lab, count)
    lab.git("commit", "-q", "--allow-empty", "-m", "nothing")
    assert NOTHING == push(lab, count)
    assert NOTHING == push(lab, count, {"README.md": "read me\n"})


def test_one_changed_input_of_three_runs_one_command(lab: Lab, counted: Counted) -> None:
    """The changed datum runs, the two others stay, and their files are the same objects."""
    count = begin(lab, counted)
    before = lab.git("rev-parse", "HEAD:up/b.txt", "HEAD:up/c.txt")

    assert Step(1, True, "settled") == push(lab, count, {"raw/a.txt": "other\n"})
    assert {"up/a.txt": "other\n", "up/b.txt": "b\n", "up/c.txt": "c\n"} == tree(lab, "up")
    assert before == lab.git("rev-parse", "HEAD:up/b.txt", "HEAD:up/c.txt")


@pytest.mark.long
def test_another_branch_with_the_same_content_computes_nothing(lab: Lab, counted: Counted) -> None:
    """A branch that never saw the results gets them all from the branch that has them."""
    count = begin(lab, counted)
    results = tree(lab, "up")
    lab.git("switch", "-q", "-c", "other", "HEAD~1")
    assert {} == tree(lab, "up")

    assert Step(0, True, "settled") == push(lab, count, branch="other")
    assert results == tree(lab, "up")


@pytest.mark.long
def test_the_same_command_over_the_same_content_is_one_computation(
    lab: Lab, counted: Counted
) -> None:
    """A second pipeline of another name, in another home, is served from the first one's results."""
    echo, _ = counted
    text = f"{echo}; {COPY}"
    count = begin(lab, counted)

    again = {"deep/er/again/spec.yml": spec("again", text, description="the same")}
    assert Step(0, True, "settled") == push(lab, count, again)
    assert {"deep/er/again/" + name for name in ("a.txt", "b.txt", "c.txt")} == set(
        tree(lab, "deep")
    )


HIDDEN = {"output": {"path": "$1"}}
CAT = 'cat "$PFS/in/datum.txt" > "$PFS/out/x"'


@pytest.mark.long
def test_where_names_are_hidden_equal_content_is_computed_once(lab: Lab, counted: Counted) -> None:
    """Two subjects with the same content are one computation, in one push and in a later one."""
    echo, count = counted
    up = spec("up", f"{echo}; {CAT}", pfs(glob="/(*).txt"), **HIDDEN)
    twins = {"raw/a.txt": "a\n", "raw/b.txt": "a\n", "raw/c.txt": "c\n"}
    lab.create(files={**ATTRIBUTES, **twins, "up/spec.yml": up})

    assert Step(2, True, "settled") == push(lab, count)
    assert Step(0, True, "settled") == push(lab, count, {"raw/d.txt": "c\n"})
    results = {"up/a/x": "a\n", "up/b/x": "a\n", "up/c/x": "c\n", "up/d/x": "c\n"}
    assert results == tree(lab, "up")


@pytest.mark.long
def test_a_removed_input_takes_its_outputs_along(lab: Lab, counted: Counted) -> None:
    """Nothing runs; one results commit removes what the datum had written, down to the last one."""
    count = begin(lab, counted)

    assert Step(0, True, "settled") == push(lab, count, {"raw/a.txt": None})
    assert {"up/b.txt": "b\n", "up/c.txt": "c\n"} == tree(lab, "up")
    gone = {"raw/b.txt": None, "raw/c.txt": None, "raw/.keep": ""}
    lab.write(
        {"up/spec.yml": (lab.dataset / "up/spec.yml").read_text().replace('"/*"', '"/*.txt"')}
    )
    assert Step(0, True, "settled") == push(lab, count, gone)
    assert {} == tree(lab, "up")


@pytest.mark.long
def test_what_the_command_cannot_observe_runs_nothing(lab: Lab, counted: Counted) -> None:
    """Timeouts, tries, descriptions, parallelism, sets, resources, another pipeline: no execution."""
    echo, _ = counted
    text = f"{echo}; {COPY}"
    count = begin(lab, counted)

    changed = spec(
        "up",
        text,
        description="other words",
        datum_tries=7,
        datum_timeout="1h",
        job_timeout="2h",
        parallelism_spec={"constant": 3},
        datum_set_spec={"number": 2},
        resource_requests={"memory": "1G"},
        on_failure="publish",
    )
    assert NOTHING == push(lab, count, {"up/spec.yml": changed})
    assert NOTHING == push(lab, count, {"notes/x.txt": "unrelated\n"})
    lab.git("mv", "up", "moved")
    renamed = {"moved/spec.yml": changed.replace('"name": "up"', '"name": "moved"')}
    assert (0, "settled") == push(lab, count, renamed)[::2]
    assert {"moved/a.txt", "moved/b.txt", "moved/c.txt"} == set(tree(lab, "moved"))


@pytest.mark.long
def test_equal_output_bytes_stop_the_wave(lab: Lab, counted: Counted) -> None:
    """An upstream change that gives the same output runs upstream alone (early cut-off)."""
    echo, _ = counted
    size = f'{echo}; for f in "$PFS"/in/*; do wc -c < "$f" > "$PFS/out/$(basename "$f")"; done'
    down = spec("down", f"{echo}; {COPY}", pfs("up"))
    count = begin(lab, counted, up=spec("up", size), down=down)

    assert Step(1, True, "settled") == push(lab, count, {"raw/a.txt": "z\n"})
    assert Step(2, True, "settled") == push(lab, count, {"raw/a.txt": "longer\n"})
    assert {"7"} == {tree(lab, home)[f"{home}/a.txt"].strip() for home in ("up", "down")}


@pytest.mark.long
def test_the_same_bytes_in_git_and_in_the_annex_are_the_same_content(
    lab: Lab, counted: Counted
) -> None:
    """A file that moves between git, annex, unlocked and another backend runs nothing."""
    count = begin(lab, counted)
    lab.do("git", "annex", "unlock", "-q", "raw/a.txt")
    assert NOTHING == push(lab, count)
    lab.do("git", "annex", "unannex", "-q", "raw/b.txt")
    lab.git("-c", "annex.largefiles=nothing", "add", "raw/b.txt")
    assert "b\n" == lab.git("show", ":raw/b.txt")
    assert NOTHING == push(lab, count)


@pytest.mark.long
def test_rules_of_the_git_annex_branch_count_for_outputs(lab: Lab, counted: Counted) -> None:
    """``git annex config annex.largefiles`` is for paths whose attribute no file sets."""
    counter, count = counted
    lab.create(
        files={
            ".gitattributes": "**/.git* annex.largefiles=nothing\n*.yml annex.largefiles=nothing\n"
            "up/*.bin annex.largefiles=anything\n",
            "raw/a.txt": "a\n",
            "up/spec.yml": spec("up", f'{counter}; cd "$PFS/out"; echo o | tee o.txt > o.bin'),
        }
    )
    lab.do("git", "annex", "config", "--set", "annex.largefiles", "largerthan=100kb")
    lab.push()

    lab.settle()

    lab.pull()
    assert 1 == count()
    assert (False, True) == (
        (lab.dataset / "up/o.txt").is_symlink(),
        (lab.dataset / "up/o.bin").is_symlink(),
    )
