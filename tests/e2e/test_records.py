"""Results commits explain themselves: to DataLad's own tools, in other people's clones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tea_runner.core.results.run_record import parse_record
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, Step, pfs, push, spec, tree

Counted = tuple[str, Callable[[], int]]

RAW = {"raw/a.txt": "a\n", "raw/b c.txt": "b\n", "raw/d/ä{} [1]&.txt": "d\n"}


def records(lab: Lab, since: str) -> dict[str, dict[str, object]]:
    """Commit to run record, of all commits since one."""
    found = {}
    for commit in lab.git("rev-list", "HEAD", f"^{since}").split():
        record = parse_record(lab.git("show", "-s", "--format=%B", commit))
        if record is not None:
            found[commit] = dict(record)
    return found


def clone(lab: Lab, path: Path) -> Path:
    """A stranger's clone; the stranger says where the storage is and that it may be used."""
    lab.do("datalad", "-l", "error", "clone", lab.push_url, str(path), cwd=lab.root)
    lab.do("git", "annex", "enableremote", "--quiet", "store", f"directory={lab.store}", cwd=path)
    text = lab.do("git", "annex", "verifyremote", "store", cwd=path, check=False)
    if "--safe " in text:
        number = text.split("--safe ")[1].split()[0]
        lab.do("git", "annex", "verifyremote", "store", "--safe", number, cwd=path)
    return path


@pytest.mark.long
def test_sixty_four_jobs_are_one_results_commit_with_exact_records(
    lab: Lab, counted: Counted
) -> None:
    """One commit on the branch; behind it one record per datum, with its input and its output alone."""
    echo, count = counted
    files = {f"raw/{number:02}.txt": f"{number}\n" for number in range(64)}
    lab.create(files={**ATTRIBUTES, **files, "up/spec.yml": spec("up", f"{echo}; {COPY}")})
    assert Step(64, True, "settled") == push(lab, count)
    pushed = lab.git("rev-parse", "HEAD^").strip()

    assert 1 == len(lab.git("rev-list", "--first-parent", f"{pushed}..HEAD").split())
    found = records(lab, pushed)
    assert 64 == len(found)
    for commit, record in found.items():
        changed = lab.git("diff", "--name-only", f"{commit}^", commit).split()
        assert [path.replace("raw/", "up/") for path in record["inputs"]] == changed  # type: ignore[attr-defined]
        assert changed == record["outputs"]
    last = lab.git("log", "-1", "--format=%H", "--", "up/17.txt").strip()
    assert ["raw/17.txt"] == found[last]["inputs"]


@pytest.mark.long
def test_the_same_work_gives_the_same_commit(lab: Lab, counted: Counted, tmp_path: Path) -> None:
    """Everything forgotten, the branch put back, computed again: the results commit has the same id."""
    echo, count = counted
    up = spec("up", f"{echo}; {COPY}", pfs(glob="/**.txt"))
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": up})
    pushed = lab.push()
    lab.settle("one")
    tip = lab.tip()
    assert 3 == count()
    lab.git("push", "-q", "--force", "origin", f"{pushed}:refs/heads/main")
    lab.forget()

    lab.settle("two")
    assert (tip, 3) == (lab.tip(), count())


def test_a_record_is_accepted_by_datalad_itself(lab: Lab, counted: Counted) -> None:
    """``datalad rerun --report`` reads every record, odd names and braces included."""
    echo, count = counted
    text = f'{echo}; : "${{X:-{{}}}}"; {COPY}'
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": spec("up", text, pfs(glob="/**.txt"))})
    push(lab, count)
    pushed = lab.git("rev-parse", "HEAD^").strip()

    for commit, record in records(lab, pushed).items():
        out = lab.do("datalad", "-f", "json", "rerun", "--report", commit)
        reports = [json.loads(line) for line in out.splitlines()]
        (report,) = [one for one in reports if one.get("rerun_action") == "run"]
        assert record["outputs"] == report["run_info"]["outputs"]
        assert record["cmd"] == report["run_info"]["cmd"]


@pytest.mark.long
@pytest.mark.parametrize("annexed", [True, False], ids=["annexed", "in git"])
def test_a_stranger_repeats_a_record_and_gets_the_same_bytes(
    lab: Lab, counted: Counted, tmp_path: Path, annexed: bool
) -> None:
    """``datalad clone``, ``get``, ``rerun``: accepted, the same tree, and nothing is left changed."""
    echo, count = counted
    attributes = ATTRIBUTES[".gitattributes"] + ("up/** annex.largefiles=anything\n" * annexed)
    attributes += "spec.yml annex.largefiles=nothing\nmanifest.tsv annex.largefiles=nothing\n"
    lab.create(
        files={
            **RAW,
            ".gitattributes": attributes,
            "up/spec.yml": spec("up", f"({echo}) 2>&- || true; {COPY}", pfs(glob="/**.txt")),
        }
    )
    assert Step(3, True, "settled") == push(lab, count)
    pushed = lab.git("rev-parse", "HEAD^").strip()
    there = clone(lab, tmp_path / "stranger")
    results = tree(lab, "up")
    assert annexed == all("annex/objects" in text for text in results.values())
    lab.do("datalad", "-l", "error", "get", ".", cwd=there)
    if annexed:
        assert "a\n" == (there / "up/a.txt").read_text()

    for commit in records(lab, pushed):
        before = lab.git("rev-parse", "HEAD^{tree}", cwd=there)
        lab.do("datalad", "-l", "error", "rerun", commit, cwd=there)
        assert before == lab.git("rev-parse", "HEAD^{tree}", cwd=there)
    assert "" == lab.git("status", "--porcelain", cwd=there)
    lab.do("datalad", "-l", "error", "rerun", "--since", pushed, cwd=there)
    assert "" == lab.git("status", "--porcelain", cwd=there)


@pytest.mark.long
def test_a_results_file_leads_to_its_content(lab: Lab, counted: Counted, tmp_path: Path) -> None:
    """A fresh clone gets every annexed result from storage: the location log says where it is."""
    echo, count = counted
    text = f'{echo}; for f in "$PFS"/in/*; do cat "$f" > "$PFS/out/$(basename "$f").big"; done'
    lab.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": spec("up", text, pfs(glob="/*.txt"))})
    push(lab, count)
    there = clone(lab, tmp_path / "stranger")

    lab.do("datalad", "-l", "error", "get", "up", cwd=there)
    assert "a\n" == (there / "up/a.txt.big").read_text()
    lab.do("git", "annex", "fsck", "--quiet", "--from", "store", "up", cwd=there)
    assert "" == lab.do("git", "annex", "find", "--not", "--in", "store", "up", cwd=there)
