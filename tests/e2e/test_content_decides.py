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


def test_going_back_to_former_content_computes_nothing(lab: Lab, counted: Counted) -> None:
    """A, B, and A again: the first A's result comes from an older manifest of the branch."""
    count = begin(lab, counted)

    assert Step(1, True, "settled") == push(lab, count, {"raw/a.txt": "other\n"})
    assert Step(0, True, "settled") == push(lab, count, {"raw/a.txt": "a\n"})
    assert "a\n" == tree(lab, "up")["up/a.txt"]


def test_another_branch_with_the_same_content_computes_nothing(lab: Lab, counted: Counted) -> None:
    """A branch that never saw the results gets them all from the branch that has them."""
    count = begin(lab, counted)
    results = tree(lab, "up")
    lab.git("switch", "-q", "-c", "other", "HEAD~1")
    assert {} == tree(lab, "up")

    assert Step(0, True, "settled") == push(lab, count, branch="other")
    assert results == tree(lab, "up")


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


def test_pipelines_that_want_one_key_at_once_compute_it_once(lab: Lab, counted: Counted) -> None:
    """Two pipelines with the same command in one push: three datums run, not six."""
    echo, count = counted
    text = f"{echo}; {COPY}"
    files = {"one/spec.yml": spec("one", text), "two/spec.yml": spec("two", text)}
    lab.create(files={**ATTRIBUTES, **RAW, **files})

    assert Step(3, True, "settled") == push(lab, count)
    assert 6 == len(tree(lab, "one", "two"))


HIDDEN = {"output": {"path": "$1"}}
CAT = 'cat "$PFS/in/datum.txt" > "$PFS/out/x"'


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


def test_another_output_path_moves_the_results(lab: Lab, counted: Counted) -> None:
    """Only the template changes: the same keys at other places, and nothing is computed."""
    echo, _ = counted
    text = f"{echo}; {CAT}"
    count = begin(lab, counted, up=spec("up", text, pfs(glob="/(*).txt"), **HIDDEN))
    elsewhere = spec("up", text, pfs(glob="/(*).txt"), output={"path": "by/$1"})

    assert Step(0, True, "settled") == push(lab, count, {"up/spec.yml": elsewhere})
    assert {"up/by/a/x": "a\n", "up/by/b/x": "b\n", "up/by/c/x": "c\n"} == tree(lab, "up")


def test_a_renamed_input_moves_its_results_where_names_are_hidden(
    lab: Lab, counted: Counted
) -> None:
    """Nothing is computed; the outputs stand under the new name and no longer under the old."""
    echo, _ = counted
    up = spec("up", f"{echo}; {CAT}", pfs(glob="/(*).txt"), **HIDDEN)
    count = begin(lab, counted, up=up)
    lab.git("mv", "raw/a.txt", "raw/z.txt")

    assert Step(0, True, "settled") == push(lab, count)
    assert {"up/b/x": "b\n", "up/c/x": "c\n", "up/z/x": "a\n"} == tree(lab, "up")


def test_a_renamed_input_is_a_new_datum_where_names_are_visible(lab: Lab, counted: Counted) -> None:
    """A command that sees names runs for the new one, and the old one's outputs disappear."""
    count = begin(lab, counted)
    lab.git("mv", "raw/a.txt", "raw/z.txt")

    assert Step(1, True, "settled") == push(lab, count)
    assert {"up/b.txt": "b\n", "up/c.txt": "c\n", "up/z.txt": "a\n"} == tree(lab, "up")


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


def test_no_datums_at_all_is_success(lab: Lab, counted: Counted) -> None:
    """A glob that matches nothing settles without a job."""
    echo, count = counted
    files = {"up/spec.yml": spec("up", echo, pfs(glob="/*.none"))}
    lab.create(files={**ATTRIBUTES, **RAW, **files})

    step = push(lab, count)
    assert (0, "settled") == (step.ran, step.state)
    assert NOTHING == push(lab, count, {"README.md": "x\n"})


CHANGES = {
    "the command": {"transform": {"cmd": ["sh", "-euc", "{text}; true"]}},
    "a variable": {"transform": {"env": {"A": "2"}}},
    "stdin": {"transform": {"stdin": ["x"]}},
    "accepted codes": {"transform": {"accept_return_code": [3]}},
    "the salt": {"salt": "2"},
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_the_command_can_observe_runs_its_pipeline(
    lab: Lab, counted: Counted, what: str
) -> None:
    """Command, variables, input, accepted codes and salt run all datums of that pipeline alone."""
    echo, _ = counted
    text = f"{echo}; {COPY}"
    other = spec("other", f"{text} && true")
    count = begin(lab, counted, up=spec("up", text), other=other)
    change = {
        name: {
            k: [w.replace("{text}", text) for w in v] if k == "cmd" else v for k, v in value.items()
        }
        if isinstance(value, dict)
        else value
        for name, value in CHANGES[what].items()
    }

    assert Step(3, True, "settled") == push(lab, count, {"up/spec.yml": spec("up", text, **change)})
    assert Step(0, True, "settled") == push(lab, count, {"up/spec.yml": spec("up", text)})


def test_code_runs_the_pipelines_that_see_it(lab: Lab, counted: Counted) -> None:
    """A script beside one pipeline is its own; ``code/`` is everybody's, unless a pipeline says no."""
    echo, _ = counted
    text = f"{echo}; {COPY}"
    alone = spec("alone", f"{text} && true", transform={"code": ["/alone/*.sh"]})
    count = begin(lab, counted, up=spec("up", text), alone=alone)

    assert Step(3, True, "settled") == push(lab, count, {"up/lib.sh": "x\n"})
    assert Step(3, True, "settled") == push(lab, count, {"code/lib.sh": "x\n"})
    assert Step(3, True, "settled") == push(lab, count, {"alone/lib.sh": "x\n"})
    assert Step(0, True, "settled") == push(lab, count, {"code/lib.sh": None, "up/lib.sh": None})
    (lab.dataset / "alone/lib.sh").chmod(0o755)
    assert Step(3, True, "settled") == push(lab, count)


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


def test_equal_output_bytes_stop_the_wave(lab: Lab, counted: Counted) -> None:
    """An upstream change that gives the same output runs upstream alone (early cut-off)."""
    echo, _ = counted
    size = f'{echo}; for f in "$PFS"/in/*; do wc -c < "$f" > "$PFS/out/$(basename "$f")"; done'
    down = spec("down", f"{echo}; {COPY}", pfs("up"))
    count = begin(lab, counted, up=spec("up", size), down=down)

    assert Step(1, True, "settled") == push(lab, count, {"raw/a.txt": "z\n"})
    assert Step(2, True, "settled") == push(lab, count, {"raw/a.txt": "longer\n"})
    assert {"7"} == {tree(lab, home)[f"{home}/a.txt"].strip() for home in ("up", "down")}


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
