"""What commands may do with their folders, and which files become results: as Pachyderm's do it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tests.cli.dataset import Dataset, Said

_INPUTS = {"d/f": "foo", "d/sub/g": "bar", "d/sub/more/h": "baz"}


@pytest.fixture(params=["bwrap", "off"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each way to run commands on this machine."""
    missing = BubblewrapSandbox().check() if request.param == "bwrap" else None
    if missing:
        pytest.skip(f"engine absent: {missing}")
    return str(request.param)


def _run(
    tmp_path: Path,
    kind: str,
    command: str,
    *,
    files: dict[str, str] | None = None,
    settings: dict[str, str] | None = None,
    glob: str = "/",
    annexed: bool = False,
    **more: object,
) -> tuple[Said, dict[str, str]]:
    """Run one command over the inputs; returns what was said, and the outputs."""
    document = {
        "pipeline": {"name": "up"},
        "input": {"pfs": {"name": "d", "repo": "d", "glob": glob}},
        "transform": {"cmd": ["sh", "-ec", command], **more},
        "datum_tries": 1,
        "datum_set_spec": {"number": 100},
    }
    rule = "up/* annex.largefiles=anything\nup/spec.json annex.largefiles=nothing\n"
    dataset = Dataset(
        tmp_path / "data",
        {**_INPUTS, **(files or {}), "up/spec.json": json.dumps(document)},
    )
    if annexed:
        dataset.save({".gitattributes": "* annex.largefiles=nothing\n" + rule})
    said = dataset.tea("run", "-y", env={"TEA_RUNNER_SANDBOX__KIND": kind, **(settings or {})})
    home = dataset.path / "up"
    return said, {
        path.relative_to(home).as_posix(): path.read_text()
        for path in home.rglob("*")
        if path.is_file()
        and path.name not in ("spec.json", "manifest.tsv")
        and path.suffix != ".sig"
    }


@pytest.mark.long
@pytest.mark.parametrize("annexed", [False, True])
def test_a_link_to_a_folder_of_the_inputs_is_all_that_is_in_it(
    tmp_path: Path, kind: str, annexed: bool
) -> None:
    """A folder, the whole input, and two links to the same file."""
    command = 'cd "$PFS/out"; ln -s "$PFS/d/sub" s; ln -s "$PFS/d" all; ln -s "$PFS/d/f" x'
    said, found = _run(tmp_path, kind, command, annexed=annexed)
    assert 0 == said.code, said
    assert {
        "s/g": "bar",
        "s/more/h": "baz",
        "all/f": "foo",
        "all/sub/g": "bar",
        "all/sub/more/h": "baz",
        "x": "foo",
    } == found


def test_links_elsewhere_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    """What is in /tmp is gone when outputs are read, and other folders are none of a command's."""
    command = 'echo x >/tmp/a; ln -s /tmp/a "$PFS/out/b"; ln -s /etc "$PFS/out/etc"'
    said, found = _run(tmp_path, kind, command)
    assert (1, {}) == (said.code, found), said
    assert "'b' is a link out of the tree, to '/tmp/a'" in said.out + said.err, said


@pytest.mark.long
@pytest.mark.parametrize("annexed", [False, True])
def test_hard_links_within_the_outputs_are_files(tmp_path: Path, kind: str, annexed: bool) -> None:
    """Each name is a file of its own."""
    command = 'cd "$PFS/out"; echo x >a; ln a b; mkdir c; ln a c/d'
    said, found = _run(tmp_path, kind, command, annexed=annexed)
    assert 0 == said.code, said
    assert {"a": "x\n", "b": "x\n", "c/d": "x\n"} == found


def test_a_hard_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    """Without a sandbox a command can make one."""
    outside = tmp_path / "outside"
    outside.write_text("not an output")
    said, found = _run(tmp_path, "off", f'ln {outside} "$PFS/out/a"')
    assert (1, {}) == (said.code, found), said
    assert "'a' has a second name elsewhere" in said.out + said.err, said


def test_a_copy_of_an_input_can_be_changed(tmp_path: Path, kind: str) -> None:
    """Also by another user than root."""
    command = (
        'cp "$PFS/d/f" "$PFS/out/f"; stat -c %a "$PFS/d/f" >"$PFS/out/mode"; echo >>"$PFS/out/f"'
    )
    said, found = _run(tmp_path, kind, command)
    assert (0, {"f": "foo\n", "mode": "644\n"}) == (said.code, found), said


def test_a_command_starts_where_relative_paths_work(tmp_path: Path, kind: str) -> None:
    """``pfs/…`` is there, and so is the pipeline's code."""
    command = "cat pfs/d/f up/script >pfs/out/f"
    said, found = _run(tmp_path, kind, command, files={"up/script": "code\n"})
    assert (0, "foocode\n") == (said.code, found.get("f")), said


def test_a_command_may_write_where_it_starts(tmp_path: Path, kind: str) -> None:
    """Each datum of a job finds the folder as it was made, and nothing of it becomes a result."""
    command = (
        'ls | tr "\\n" " " >"$PFS/out/$(basename "$d").ls"; cat up/script >>"$PFS/out/$(basename "$d").ls"; '
        'echo x >here; echo changed >up/script; cp here "$PFS/out/$(basename "$d")"'
    )
    files = {"up/script": "code\n", "d/f": "1", "d/g": "2", "d/sub/g": "3"}
    said, found = _run(tmp_path, kind, command, files=files, glob="/*")
    assert 0 == said.code, said
    assert {"pfs up code\n"} == {text for name, text in found.items() if name.endswith(".ls")}
    assert {"f", "g", "sub"} < set(found)
    assert "code\n" == (tmp_path / "data/up/script").read_text()


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    ["2020-01-01T00:00:00Z", 'a"b', "a|b", "back\\slash", "trailing ", "aux.txt", "dot.", "a?*<>"],
)
def test_names_that_git_can_hold_are_results(tmp_path: Path, name: str) -> None:
    """By default; an operator may ask for names that every system has."""
    said, found = _run(tmp_path, "off", 'echo x >"$PFS/out/$NAME"', env={"NAME": name})
    assert (0, {name: "x\n"}) == (said.code, found), said


def test_names_that_differ_in_case_only_are_results(tmp_path: Path) -> None:
    """As everywhere on Linux."""
    said, found = _run(tmp_path, "off", 'echo 1 >"$PFS/out/A.txt"; echo 2 >"$PFS/out/a.txt"')
    assert (0, {"A.txt": "1\n", "a.txt": "2\n"}) == (said.code, found), said


@pytest.mark.parametrize(
    ("policy", "name", "sentence"),
    [
        ("portable", "a:b", 'rename it, or ask the operator for outputs.names = "git"'),
        ("git", "a\tb", 'rename it, or ask the operator for outputs.names = "any"'),
        ("any", "a\tb", ""),
        ("any", ".gitmodules", "has a special meaning"),
        ("any", "spec.yml", "has a special meaning"),
    ],
)
def test_the_operator_chooses_names(tmp_path: Path, policy: str, name: str, sentence: str) -> None:
    """The message names the setting; names that steer other programs are refused in any case."""
    settings = {"TEA_RUNNER_OUTPUTS__NAMES": policy}
    command = f"echo x >\"$PFS/out/$(printf '{name}')\""
    said, found = _run(tmp_path, "off", command.replace("\t", "\\t"), settings=settings)
    assert (0 if not sentence else 1) == said.code, said
    assert sentence in said.out + said.err
    assert ({name: "x\n"} if not sentence else {}) == found


def test_members_of_a_union_with_one_name_run_each(tmp_path: Path) -> None:
    """Equal paths in several folders are several datums, and stay so when nothing changes."""
    members = [{"pfs": {"name": "in", "repo": repo, "glob": "/*"}} for repo in ("u0", "u1", "u2")]
    document = {
        "pipeline": {"name": "up"},
        "input": {"union": members},
        "transform": {"cmd": ["sh", "-c", 'cat "$in" >"$PFS/out/$(cat "$in")"']},
    }
    files = {f"u{n}/file-{m}": f"{n}{m}" for n in range(3) for m in range(2)}
    dataset = Dataset(tmp_path / "data", {**files, "up/spec.json": json.dumps(document)})
    said = dataset.tea("run", "-y")
    assert 0 == said.code, said
    made = {path.name for path in (dataset.path / "up").glob("[0-9]*")}
    assert {"00", "01", "10", "11", "20", "21"} == made
    assert "Nothing to do." in dataset.tea("run", "-y").lines
    labels = [
        row.split("\t")[0] for row in (dataset.path / "up/manifest.tsv").read_text().splitlines()
    ]
    assert {"in:file-0", "in(u1):file-0", "in(u2):file-1"} < set(labels)
    assert 0 == dataset.tea("why", "in(u1):file-0").code
    dataset.save({"u0/file-0": None})
    said = dataset.tea("run", "-y")
    assert 0 == said.code, said
    made = {path.name for path in (dataset.path / "up").glob("[0-9]*")}
    assert {"01", "10", "11", "20", "21"} == made
