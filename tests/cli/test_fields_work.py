"""Fields of a pipeline file in, what a real command then meets out: each is effective, not only read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.dataset import Dataset

FILES = {
    "raw/t1/sub-01.txt": "a1\n",
    "raw/t1/sub-02.txt": "a2\n",
    "raw/t2/sub-02.txt": "b2\n",
    "raw/t2/sub-03.txt": "b3\n",
}
ONE = {"pfs": {"name": "in", "repo": "raw/t1", "glob": "/sub-01.txt"}}


def _side(name: str, template: str) -> dict[str, Any]:
    return {"pfs": {"repo": f"raw/{name}", "glob": "/sub-(*).txt", template: "$1"}}


def _dataset(path: Path, spec: dict[str, Any]) -> Dataset:
    whole = {"pipeline": {"name": "up"}, **spec}
    return Dataset(path / "data", {**FILES, "up/spec.yml": json.dumps(whole)})


@pytest.mark.long
@pytest.mark.parametrize(("kind", "template"), [("join", "join_on"), ("group", "group_by")])
def test_the_command_has_pachyderms_variables(tmp_path: Path, kind: str, template: str) -> None:
    """Places, commits, ids, keys of join and group, and the pipeline's own, with its stdin."""
    text = (
        'env >"$PFS/out/env"; cat >"$PFS/out/stdin"; cat "$t1" "$t2" >"$PFS/out/both"; '
        'cp "$PFS/.env" "$PFS/out/dotenv"; exit 7'
    )
    sides = [_side("t1", template), _side("t2", template)]
    for side in sides:
        side["pfs"]["glob"] = "/sub-(02).txt"
    dataset = _dataset(
        tmp_path,
        {
            "input": {kind: sides},
            "transform": {
                "cmd": ["sh", "-c", text],
                "stdin": ["one", "two"],
                "accept_return_code": [7],
                "env": {"MINE": "b c"},
            },
        },
    )
    head = dataset.do("git", "rev-parse", "HEAD")
    done = dataset.tea("run", "-y")
    assert 0 == done.code, done

    lines = (dataset.path / "up/env").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert found["t1"] == f"{found['PFS']}/t1/sub-02.txt"
    variable = template.upper()
    expected = {
        "t1_COMMIT": head,
        "t2_COMMIT": head,
        "PACH_OUTPUT_COMMIT_ID": head,
        f"PACH_DATUM_t1_{variable}": "02",
        f"PACH_DATUM_t2_{variable}": "02",
        "PPS_PIPELINE_NAME": "up",
        "PPS_SPEC_COMMIT": dataset.do("git", "rev-parse", "HEAD:up/spec.yml"),
        "PPS_NAMESPACE": "default",
        "PACH_NAMESPACE": "default",
        "PPS_POD_NAME": "sandbox",
        "MINE": "b c",
    }
    assert expected == {name: found.get(name) for name in expected}
    assert (32, 64, 32) == tuple(
        len(found[name]) for name in ("PACH_JOB_ID", "PACH_DATUM_ID", "FILESET_ID")
    )
    written = dict(
        line.split("=", 1) for line in (dataset.path / "up/dotenv").read_text().splitlines()
    )
    assert {name: found[name] for name in written} == written
    assert {*expected, "t1", "PACH_JOB_ID"} <= set(written)
    assert "one\ntwo\n" == (dataset.path / "up/stdin").read_text()
    assert "a2\nb2\n" == (dataset.path / "up/both").read_text()


@pytest.mark.long
@pytest.mark.parametrize(
    ("limits", "tries", "sentence"),
    [
        (
            {"datum_timeout": "1h", "job_timeout": "3s", "datum_tries": 3},
            1,
            "longer than its job_timeout of 3 s",
        ),
        (
            {"datum_timeout": "1s", "datum_tries": 2},
            2,
            "longer than its datum_timeout of 1 s (2 tries)",
        ),
    ],
)
def test_time_limits_end_a_command(
    tmp_path: Path, limits: dict[str, Any], tries: int, sentence: str
) -> None:
    """``datum_timeout`` is for each try, ``job_timeout`` for all of them; the error says which."""
    told = tmp_path / "told"
    command = ["sh", "-c", f"echo x >>{told}; sleep 60"]
    dataset = _dataset(tmp_path, {"input": ONE, "transform": {"cmd": command}, **limits})
    done = dataset.tea("run", "-y")

    assert 1 == done.code
    assert sentence in done.out + done.err
    assert "x\n" * tries == told.read_text()


def test_err_cmd_decides_which_failures_count(tmp_path: Path) -> None:
    """Recovered datums publish nothing and fail nothing; the other is the one that failed."""
    picky = 'grep -q "a" "$in" && exit 3; cp "$in" "$PFS/out/"'
    dataset = _dataset(
        tmp_path,
        {
            "input": {"pfs": {"name": "in", "repo": "raw", "glob": "/*/*"}},
            "on_failure": "publish",
            "datum_tries": 1,
            "transform": {
                "cmd": ["sh", "-c", picky],
                "err_stdin": ["a1"],
                "err_cmd": ["sh", "-c", 'read -r wanted; grep -q "$wanted" "$in"'],
            },
        },
    )
    dataset.save({"raw/t2/sub-02.txt": None})
    done = dataset.tea("run", "-y")

    assert 1 == done.code
    assert "1 of 3 failed: the command exited 3" in done.out
    assert ["sub-03.txt"] == sorted(path.name for path in (dataset.path / "up").glob("sub-*"))


def test_empty_files_have_names_and_no_bytes(tmp_path: Path) -> None:
    """The command sees a file of zero bytes; other bytes of the same name are another datum."""
    text = 'wc -c <"$in" >"$PFS/out/$(basename "$in")"'
    node = {"pfs": {**ONE["pfs"], "empty_files": True}}
    dataset = _dataset(tmp_path, {"input": node, "transform": {"cmd": ["sh", "-c", text]}})
    assert 0 == dataset.tea("run", "-y").code
    assert "0" == (dataset.path / "up/sub-01.txt").read_text().strip()

    dataset.save({"raw/t1/sub-01.txt": "other bytes\n"})
    assert 4 == dataset.tea("plan", "--exit-code").code


def test_every_job_computes_again_with_each_push(tmp_path: Path) -> None:
    """A commit that changes no input is work; the same commit is not."""
    dataset = _dataset(
        tmp_path, {"input": ONE, "reprocess_spec": "every_job", "transform": {"cmd": ["true"]}}
    )
    assert 0 == dataset.tea("run", "-y").code
    assert 0 == dataset.tea("plan", "--exit-code").code
    dataset.save({"README.md": "words\n"})
    assert 4 == dataset.tea("plan", "--exit-code").code
