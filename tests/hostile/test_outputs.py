"""Outputs of hostile commands and their refusals, from outputs/outputs.json."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tea_runner.core.results.refused_outputs import OutputNameRules
from tea_runner.host.openat import remove_tree
from tea_runner.sandbox.scan_outputs import OutputLimits, scan_outputs
from tests.hostile.forge import HostileForge
from tests.hostile.litter import make
from tests.hostile.unchanged import redis_of, results_prefix

_ROWS = json.loads((Path(__file__).parent / "outputs" / "outputs.json").read_text("ascii"))
_LIMITS = OutputLimits(size=1_000_000, files=1_000)
_RULES = OutputNameRules(max_depth=100)


@pytest.mark.parametrize("row", _ROWS, ids=[f"{row['row']} {row['name']}" for row in _ROWS])
def test_outputs_get_the_answer_that_the_table_states(row: dict[str, Any], tmp_path: Path) -> None:
    """What is dangerous is refused by name, and what is not is taken."""
    if row.get("root") and os.geteuid() != 0:
        pytest.skip("only root can make a device node")
    out = tmp_path / "out"
    out.mkdir()
    for step in row["make"]:
        make(out, step)
    rules = OutputNameRules(max_depth=100, reserved=frozenset(row.get("taken", ())))
    found = scan_outputs(
        out,
        home="home",
        rules=rules,
        limits=_LIMITS,
        pfs=row.get("pfs", ""),
        out_at="/pfs/out",
    )
    said = [str(refusal) for refusal in found.refused]
    missing = [a for a in row["answers"] if not any(a in sentence for sentence in said)]
    assert [] == missing, said
    assert bool(row["answers"]) == bool(said), said
    assert tuple(row.get("empty", ())) == found.empty
    links = {o.path: o.target for o in found.outputs if o.kind == "input link"}
    assert row.get("links", {}) == links
    remove_tree(out)
    assert not out.exists()


def test_a_thousand_refusals_are_not_listed(tmp_path: Path) -> None:
    """A tree full of FIFOs is answered soon, with a bounded number of reasons."""
    for number in range(500):
        os.mkfifo(tmp_path / str(number))
    found = scan_outputs(tmp_path, rules=_RULES, limits=_LIMITS)
    assert 100 == len(found.refused)


def test_what_is_taken_is_described(tmp_path: Path) -> None:
    """An output has its path, size, whether it can be executed; a link has its target."""
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b.sh").write_bytes(b"#!")
    (tmp_path / "b.sh").chmod(0o755)
    (tmp_path / "c").symlink_to("a")
    found = scan_outputs(tmp_path)
    assert [
        ("a", "file", 5, False, ""),
        ("b.sh", "file", 2, True, ""),
        ("c", "symlink", 0, False, "a"),
    ] == [(o.path, o.kind, o.size, o.executable, o.target) for o in found.outputs]
    assert () == found.refused


def test_a_tree_is_removed_without_following_links(tmp_path: Path) -> None:
    """Removing a tree leaves alone what a link in it points to."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    tree = tmp_path / "tree"
    (tree / "closed" / "inner").mkdir(parents=True)
    (tree / "link").symlink_to(kept)
    (tree / "closed" / "link").symlink_to(kept / "file")
    (tree / "closed" / "inner").chmod(0)
    (tree / "closed").chmod(0)
    remove_tree(tree)
    assert not tree.exists()
    assert (kept / "file").exists()


def test_a_tree_that_is_a_link_loses_only_the_link(tmp_path: Path) -> None:
    """Given a link, only the link is removed; given nothing, nothing happens."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "nothing")
    assert ["kept"] == os.listdir(tmp_path)


#: Seen from the sandbox, what is beside the outputs are the inputs: the sentence is about those.
_OTHERWISE = {
    "link to another job": "is a link to input other/out/secret, which does not exist",
    "6,000 levels": "more than the limit of 1000 files",
}


def _whole_way() -> dict[str, dict[str, Any]]:
    """Rows that a command can make by itself in the sandbox, by the name of their datum.

    Of the many names that are refused alike, every fifth.
    """
    alone = [row for row in _ROWS if not {"root", "pfs", "taken"} & row.keys()]
    alike = [row for row in alone if row["row"] in ("88", "89", "F112")]
    chosen = [row for row in alone if row not in alike] + alike[::5]
    return {f"{number:03d}": row for number, row in enumerate(chosen)}


@pytest.mark.long
def test_commands_that_leave_such_things_get_the_same_answers(tmp_path: Path) -> None:
    """Each row by a command of its own, in the sandbox: what is refused is on no ref and in no scratch.

    The job says the sentence, the other datums of its job are not harmed, and the branch stays.
    """
    kind = "bwrap" if shutil.which("bwrap") else "off"
    walls = 'output_bytes = 1000000\noutput_files = 1000\nfile_size = "16 TiB"\n'
    settings = '[outputs]\nnames = "portable"\n'
    forge = HostileForge(tmp_path / "all", sandbox=kind, walls=walls, settings=settings)
    rows = _whole_way()
    files: dict[str, Any] = {
        "raw/a.txt": None,
        "code/litter.py": (Path(__file__).parent / "litter.py").read_text("utf-8"),
        "up/spec.yml": json.dumps(
            {
                "pipeline": {"name": "up"},
                "datum_tries": 1,
                "output": {"path": "$1"},
                "input": {"pfs": {"name": "in", "repo": "raw", "glob": "/(*).json"}},
                "transform": {
                    "cmd": ["sh", "-euc", 'exec python3 -B code/litter.py "$PFS/out" <"$in"']
                },
            }
        ),
    }
    files |= {f"raw/{name}.json": json.dumps(row["make"]) for name, row in rows.items()}
    try:
        forge.make("mine", {"files": files})
        before = results_prefix(forge)
        met = forge.meet("mine")
        planned = forge.planner.plan("lab/mine", "main")
        assert planned is not None
        decisions = {d.label.partition(":")[2][:3]: d for d in planned.pipelines["up"].decisions}
        wrong = {}
        for name, row in rows.items():
            said, refused = decisions[name].detail, decisions[name].action == "failed"
            answers = [*row["answers"], *filter(None, [_OTHERWISE.get(row["name"])])]
            if refused != bool(answers) or (refused and not any(a in said for a in answers)):
                wrong[row["name"]] = said
        assert {} == wrong
        assert "failed" == met.state
        after = results_prefix(forge)["mine"]
        assert before["mine"] == {r: oid for r, oid in after.items() if "refs/tea/" not in r}
        told = str([redis_of(forge), met.said])
        assert "Traceback" not in told
        for ref in (ref for ref in after if "refs/tea/" in ref):
            text = forge.git("mine", "cat-file", "blob", f"{ref}:results.json")
            keys = {result["key"] for result in json.loads(text)["results"]}
            assert not {d.key for d in decisions.values() if d.action == "failed"} & keys
        assert [] == list((forge.root / "scratch").glob("job-*"))
    finally:
        forge.close()
