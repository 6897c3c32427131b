"""Commands that fail, and outputs that nobody may have: what is published, and what people are told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tea_runner.broker.run_store import RunStore
from tea_runner.core.planning.run_status import run_status
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, Step, pfs, push, spec, tree

Counted = tuple[str, Callable[[], int]]

RAW = {"raw/a.txt": "a\n", "raw/b.txt": "b\n", "raw/c.txt": "c\n"}
#: Fails for a file that says "bad", and copies all others.
PICKY = f'{{echo}}; if grep -q bad "$PFS"/in/*; then exit 1; fi; {COPY}'
ONE_TRY = {"datum_tries": 1}


def create(lab: Lab, files: dict[str, str]) -> None:
    """A dataset with three files besides these."""
    lab.create(files={**ATTRIBUTES, **RAW, **files})


def detail(lab: Lab) -> str:
    """What the latest run says of its first pipeline."""
    return RunStore(lab.site().redis).latest(1)[0].pipelines[0].detail


@pytest.mark.long
def test_one_failed_datum_publishes_nothing_and_costs_the_others_nothing(
    lab: Lab, counted: Counted
) -> None:
    """The tip stays; after the fix only what failed runs, and all results appear in one commit."""
    echo, count = counted
    up = spec("up", PICKY.replace("{echo}", echo), **ONE_TRY)
    create(lab, {"raw/b.txt": "bad\n", "up/spec.yml": up})

    assert Step(3, False, "failed") == push(lab, count)
    assert "exited 1" in detail(lab)
    assert Step(0, False, "failed") == push(lab, count, {"README.md": "not the fix\n"})
    assert Step(1, True, "settled") == push(lab, count, {"raw/b.txt": "good\n"})
    assert {"up/a.txt": "a\n", "up/b.txt": "good\n", "up/c.txt": "c\n"} == tree(lab, "up")


@pytest.mark.long
def test_a_failure_is_tried_as_often_as_the_pipeline_says(lab: Lab, counted: Counted) -> None:
    """``datum_tries: 3`` runs the failing command three times, the others once."""
    echo, count = counted
    up = spec("up", PICKY.replace("{echo}", echo), datum_tries=3)
    create(lab, {"raw/b.txt": "bad\n", "up/spec.yml": up})

    assert Step(5, False, "failed") == push(lab, count)


def test_on_failure_publish_publishes_what_succeeded(lab: Lab, counted: Counted) -> None:
    """Two of three results are there, the run still counts as failed, and the fix adds the third."""
    echo, count = counted
    up = spec("up", PICKY.replace("{echo}", echo), on_failure="publish", **ONE_TRY)
    create(lab, {"raw/b.txt": "bad\n", "up/spec.yml": up})

    first = push(lab, count)
    assert (3, True) == (first.ran, first.moved)
    assert {"up/a.txt": "a\n", "up/c.txt": "c\n"} == tree(lab, "up")
    assert "failed" == RunStore(lab.site().redis).latest(1)[0].state
    assert Step(1, True, "settled") == push(lab, count, {"raw/b.txt": "good\n"})
    assert {"up/a.txt": "a\n", "up/b.txt": "good\n", "up/c.txt": "c\n"} == tree(lab, "up")


@pytest.mark.long
def test_correcting_the_attributes_cures_what_could_not_be_stored(
    lab: Lab, counted: Counted
) -> None:
    """The key is the same, so the verdict is bound to the attributes of where the outputs go."""
    echo, count = counted
    create(
        lab,
        {"up/.gitattributes": "*.txt annex.largefiles=nonsense\n", "up/spec.yml": spec("up", COPY)},
    )
    assert "failed" == push(lab, count).state
    assert "annex.largefiles=nonsense cannot be evaluated" in detail(lab)
    assert "failed" == push(lab, count, {"raw/.gitattributes": "* x=y\n"}).state

    up = {"up/.gitattributes": "* annex.largefiles=nothing\n"}
    assert "settled" == push(lab, count, up).state
    assert {"up/a.txt": "a\n", "up/b.txt": "b\n", "up/c.txt": "c\n"}.items() <= tree(
        lab, "up"
    ).items()
    assert echo


@pytest.mark.long
def test_a_command_that_failed_stays_failed_with_other_attributes(
    lab: Lab, counted: Counted
) -> None:
    """Attributes decide how outputs are stored; nothing of them reaches a command."""
    echo, count = counted
    up = spec("up", PICKY.replace("{echo}", echo), **ONE_TRY)
    create(lab, {"raw/b.txt": "bad\n", "up/spec.yml": up})
    assert Step(3, False, "failed") == push(lab, count)

    assert Step(0, False, "failed") == push(lab, count, {"up/.gitattributes": "* x=y\n"})


@pytest.mark.long
def test_a_datum_that_err_cmd_recovered_has_no_outputs_and_ends(lab: Lab, counted: Counted) -> None:
    """The pipeline settles without it, and does not go round in circles over it."""
    echo, count = counted
    up = spec("up", PICKY.replace("{echo}", echo), transform={"err_cmd": ["true"]}, **ONE_TRY)
    create(lab, {"raw/b.txt": "bad\n", "up/spec.yml": up})
    lab.push()
    hands = Hands(lab)
    try:
        for _ in range(5):
            hands.plan()
            if not hands.work():
                break
        else:
            raise AssertionError("the same datum is wanted again and again")
    finally:
        hands.close()

    assert 3 == count()
    lab.pull()
    assert {"up/a.txt": "a\n", "up/c.txt": "c\n"} == tree(lab, "up")


@pytest.mark.long
def test_recovered_datums_are_counted_apart(lab: Lab, counted: Counted) -> None:
    """In the run that computed them, and in later ones that have nothing to do."""
    echo, count = counted
    up = spec("up", PICKY.replace("{echo}", echo), transform={"err_cmd": ["true"]}, **ONE_TRY)
    create(lab, {"raw/b.txt": "bad\n", "up/spec.yml": up})
    assert Step(3, True, "settled") == push(lab, count)

    (row,) = run_status(RunStore(lab.site().redis).latest(1)[0]).pipelines
    assert {"recovered": 1, "done": 2} == row.numbers
    assert [("in:b.txt", "recovered")] == [
        (datum.label, datum.reason) for datum in row.datums if datum.state == "recovered"
    ]
    assert Step(0, False, "settled") == push(lab, count, {"README.md": "later\n"})
    (row,) = run_status(RunStore(lab.site().redis).latest(1)[0]).pipelines
    assert {"recovered": 1, "reused": 2} == row.numbers


@pytest.mark.long
def test_a_file_of_a_persons_own_is_never_written_over(lab: Lab, counted: Counted) -> None:
    """The error names the file and the datum; nothing is published until one of them gives way."""
    echo, count = counted
    text = f"{echo}; {COPY}".replace('"$PFS/out/$f"', '"$PFS/out/${f%.txt}.csv"')
    mine = {"up/sub/mine.txt": "mine\n", "up/a.csv": "mine\n", "code": ""}
    up = spec("up", text, transform={"code": []})
    create(lab, {"up/spec.yml": up, "up/a.csv": mine["up/a.csv"]})

    assert Step(3, False, "failed") == push(lab, count)
    assert "in:a.txt wrote up/a.csv, which is a file of yours" in detail(lab)
    assert Step(0, True, "settled") == push(lab, count, {"up/a.csv": None})
    assert {"up/a.csv": "a\n", "up/b.csv": "b\n", "up/c.csv": "c\n"} == tree(lab, "up")


@pytest.mark.long
def test_a_file_of_a_persons_own_is_no_directory_for_results(lab: Lab, counted: Counted) -> None:
    """A datum that writes sub/x where a person keeps a file called sub is refused, with both names."""
    echo, count = counted
    text = f'{echo}; mkdir "$PFS/out/sub"; cd "$PFS/in"; cp * "$PFS/out/sub/"'
    up = spec("up", text, transform={"code": []})
    create(lab, {"up/spec.yml": up, "up/sub": "mine\n"})

    assert Step(3, False, "failed") == push(lab, count)
    assert "up/sub" in detail(lab)
    assert "in:a.txt" in detail(lab)
    assert "mine\n" == tree(lab, "up")["up/sub"]


def test_two_datums_that_write_one_path_are_both_named(lab: Lab, counted: Counted) -> None:
    """Nothing is published, and the sentence names the path and both datums."""
    echo, count = counted
    create(lab, {"up/spec.yml": spec("up", f'{echo}; cat "$PFS"/in/* > "$PFS/out/same"')})

    assert Step(3, False, "failed") == push(lab, count)
    assert "two datums wrote same: in:a.txt and in:b.txt" in detail(lab)


@pytest.mark.long
def test_a_file_that_becomes_a_directory_and_back(lab: Lab, counted: Counted) -> None:
    """Outputs replace a datum's former ones as a whole, whatever shape they have."""
    echo, count = counted
    flat = spec("up", f'{echo}; cat "$PFS"/in/* > "$PFS/out/$(basename "$PFS"/in/*)"')
    deep = spec(
        "up", f'{echo}; d="$PFS/out/$(basename "$PFS"/in/*)"; mkdir "$d"; cat "$PFS"/in/* > "$d/x"'
    )
    create(lab, {"up/spec.yml": flat})
    push(lab, count)
    before = tree(lab, "up")

    assert Step(3, True, "settled") == push(lab, count, {"up/spec.yml": deep})
    assert {"up/a.txt/x": "a\n", "up/b.txt/x": "b\n", "up/c.txt/x": "c\n"} == tree(lab, "up")
    assert Step(0, True, "settled") == push(lab, count, {"up/spec.yml": flat})
    assert before == tree(lab, "up")


@pytest.mark.long
def test_a_trailer_that_somebody_wrote_does_no_harm(lab: Lab, counted: Counted) -> None:
    """A message that claims to carry results of a commit that does not exist is planned like any."""
    echo, count = counted
    create(lab, {"up/spec.yml": spec("up", f"{echo}; {COPY}")})
    lab.git("commit", "-q", "--allow-empty", "-m", "words\n\nTea-Input: " + "0" * 40)

    assert Step(3, True, "settled") == push(lab, count)


@pytest.mark.long
def test_what_failed_upstream_blocks_what_reads_it(lab: Lab, counted: Counted) -> None:
    """The downstream pipeline does not run on half of its inputs, and says whom it waits for."""
    echo, count = counted
    up = spec("up", PICKY.replace("{echo}", echo), **ONE_TRY)
    create(
        lab,
        {
            "raw/b.txt": "bad\n",
            "up/spec.yml": up,
            "down/spec.yml": spec("down", f"{echo}; {COPY}", pfs("up")),
        },
    )

    assert Step(3, False, "failed") == push(lab, count)
    down = {p.name: p for p in RunStore(lab.site().redis).latest(1)[0].pipelines}["down"]
    assert ("blocked", "up") == (down.state, down.detail)
    assert Step(4, True, "settled") == push(lab, count, {"raw/b.txt": "good\n"})
