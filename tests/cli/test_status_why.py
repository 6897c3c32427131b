"""``tea-runner status``, ``why``, ``dag`` and ``plan`` tell from keys alone how results stand, and why."""

from __future__ import annotations

import pytest

from tests.cli.dataset import SCRIPT, SHOUT, Dataset


def _states(dataset: Dataset) -> dict[str, tuple[str, str]]:
    rows = dataset.tea("status", "--json").json["pipelines"]
    return {
        f"{row['name']} {datum['datum']}": (datum["state"], datum["cause"])
        for row in rows
        for datum in row["datums"]
    }


def test_after_a_run_everything_is_current(settled: Dataset) -> None:
    """Each datum's results are what its command would make now."""
    said = settled.tea("status", "--exit-code")

    assert (0, "Everything is current: 3 datums.") == (said.code, said.lines[-1])


@pytest.mark.long
@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ({"raw/a.txt": "other\n"}, "input"),
        ({"shout/shout.sh": SCRIPT + "true\n"}, "code"),
        ({"shout/spec.yml": SHOUT.replace('"sh", ', '"sh", "-e", ')}, "command"),
        ({"shout/spec.yml": SHOUT + "salt: x\n"}, "parameters"),
        ({"shout/a.txt": None}, "output"),
    ],
)
def test_a_stale_result_says_by_what(
    settled: Dataset, files: dict[str, str | None], cause: str
) -> None:
    """Input, code, command, parameters and lost outputs are told apart."""
    settled.save(files)

    assert ("stale", cause) == _states(settled)["shout in:a.txt"]
    assert 4 == settled.tea("status", "--exit-code").code


def test_results_of_nobody_are_orphaned(settled: Dataset) -> None:
    """A datum that is gone leaves orphans, a pipeline that is gone as well; new datums are missing."""
    settled.save({"raw/a.txt": None, "raw/c.txt": "c\n", "table/spec.yml": None})

    assert {
        "shout in:b.txt": ("current", ""),
        "shout in:c.txt": ("missing", ""),
        "shout in:a.txt": ("orphaned", ""),
        "table in:/": ("orphaned", ""),
    } == _states(settled)
    assert (
        "orphaned: table in:/  the pipeline no longer exists: table/table.txt"
        in settled.tea("status").out
    )


def test_what_reads_stale_results_is_behind(settled: Dataset) -> None:
    """A pipeline whose own datums are current is not, while one that it reads is not."""
    settled.save({"raw/a.txt": "other\n"})

    assert "stale(upstream): table  shout is not current" in settled.tea("status").out


def test_why_names_the_changed_file_and_both_hashes(settled: Dataset) -> None:
    """For a changed input: the file, its content then and now, and the commit compared with."""
    (before,) = settled.tea("datums", "shout", "--files", "--json").json[:1]
    base = settled.do("git", "rev-list", "--max-parents=0", "HEAD")
    settled.save({"raw/a.txt": "other\n"})
    (after,) = settled.tea("datums", "shout", "--files", "--json").json[:1]
    (said,) = settled.tea("why", "--json", "in:a.txt").json["datums"]

    assert ("run", "input-changed") == (said["action"], said["reason"])
    assert base == said["inputs_at"]
    change = {
        "kind": "input",
        "path": "raw/a.txt",
        "before": before["files"][0]["content"],
        "after": after["files"][0]["content"],
    }
    assert [change] == said["changes"]
    assert (before["key"], after["key"]) == (said["key_before"], said["key"])


@pytest.mark.parametrize("word", ["shout/a.txt", "raw/a.txt", "in:a.txt", "shout in:a.txt"])
def test_why_understands_results_inputs_and_datums(settled: Dataset, word: str) -> None:
    """A path or a datum leads to the datum, and to the commit whose record made its results."""
    said = settled.tea("why", *word.split(" "))
    (row,) = settled.tea("why", "--json", word).json["datums"]

    assert "current(current): shout in:a.txt" in said.lines
    assert f"  made by {row['commit'][:12]} [DATALAD RUNCMD] shout: in:a.txt" in said.lines
    assert "result shout/a.txt" in said.out
    shown = settled.do("git", "show", "--stat", "--format=", row["commit"])
    assert "shout/a.txt" in shown


def test_why_names_a_changed_command_and_code(settled: Dataset) -> None:
    """Fields of the pipeline file and code files are named with what they were."""
    settled.save(
        {"shout/spec.yml": SHOUT.replace('"sh", ', '"sh", "-e", '), "shout/shout.sh": SCRIPT + "\n"}
    )
    said = settled.tea("why", "in:a.txt")

    assert "run(command-changed): shout in:a.txt" == said.lines[0]
    assert (
        "  transform.cmd changed: ['sh', 'shout/shout.sh'] → ['sh', '-e', 'shout/shout.sh']"
        in said.lines
    )
    assert "  code shout/shout.sh changed: " in said.out


def test_why_is_asked_from_any_folder(settled: Dataset) -> None:
    """Paths count from where the person is."""
    assert "shout/a.txt is a result of one datum:" in settled.tea("-C", "shout", "why", "a.txt").out


def test_the_plan_says_the_same_as_the_run_does(dataset: Dataset) -> None:
    """--exit-code gives 4 while there is work, 0 after it was done; nothing is written by planning."""
    head = dataset.do("git", "rev-parse", "HEAD")
    planned = dataset.tea("plan", "--exit-code")
    assert (4, head) == (planned.code, dataset.do("git", "rev-parse", "HEAD"))
    assert "wait(upstream): table" in planned.out

    assert 0 == dataset.tea("run", "-y").code
    assert (0, "Nothing to do: 3 datums known.") == (
        dataset.tea("plan", "--exit-code").code,
        dataset.tea("plan").lines[-1],
    )


def test_exec_repeats_what_was_recorded(settled: Dataset) -> None:
    """The command of a record puts the same bytes in place again."""
    blob = settled.do("git", "rev-parse", "HEAD:shout/spec.yml")
    (settled.path / "shout/a.txt").unlink()
    said = settled.tea("exec", "--spec", f"{blob}:0", "--pipeline", "shout", "--", "in:a.txt")

    assert 0 == said.code, said
    assert "AA\n" == (settled.path / "shout/a.txt").read_text()


def test_the_graph_is_drawn(dataset: Dataset) -> None:
    """As text, Mermaid, DOT and SVG; a circle is drawn, too."""
    assert ["shout", "table ← shout"] == dataset.tea("dag").lines
    assert "shout ← raw/" in dataset.tea("dag", "--files").lines
    assert dataset.tea("dag", "--md").lines[0] == "```mermaid"
    assert '"shout" -> "table";' in dataset.tea("dag", "--dot").out
    assert dataset.tea("dag", "--svg").out.startswith("<svg ")
    dataset.save({"shout/spec.yml": SHOUT.replace("repo: raw", "repo: table")})
    assert "table ← shout" in dataset.tea("dag").out
