"""Run records of ``view: pfs``: stock ``datalad rerun`` carries them out where no tea-runner is installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tea_runner.flow.pfs_view_command import PROGRAM, PROGRAM_PATH
from tea_runner.host import process
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, pfs, spec
from tests.e2e.test_records import clone, records

#: What each command says of its view: variables without those of the run, all names, and what it reads.
TELL = (
    'cd "$PFS"; env | grep -v -e PACH_JOB_ID -e PACH_OUTPUT_COMMIT_ID -e ^PATH= -e ^PWD= -e ^OLDPWD= '
    '-e ^SHLVL= -e ^_= | sort > "$PFS/out/$TO.env"; '
    'find . ../dataset -not -path "./out*" | sort > "$PFS/out/$TO.names"; '
    'find . -type f -not -path "./out/*" -not -name .env -print0 | sort -z | xargs -0 cat '
    '> "$PFS/out/$TO.text"'
)


def programs(folder: Path, *left_out: str) -> str:
    """A folder with links to all programs on PATH but some."""
    folder.mkdir()
    for place in os.environ["PATH"].split(":"):
        for name in os.listdir(place) if os.path.isdir(place) else ():
            if name not in left_out and not os.path.lexists(folder / name):
                (folder / name).symlink_to(os.path.join(place, name))
    return str(folder)


@pytest.fixture
def made(lab: Lab) -> Lab:
    """A lab whose commands run in bubblewrap."""
    lab._sandbox = "bwrap"
    return lab


def settle(lab: Lab, files: dict[str, str]) -> list[str]:
    """Push files, compute; the commits with run records."""
    lab.create(files={**ATTRIBUTES, **files})
    pushed = lab.push()
    run = lab.settle()
    assert run is not None
    assert "settled" == run.state, [row.detail for row in run.pipelines]
    lab.pull()
    return list(records(lab, pushed))


def rerun(lab: Lab, commits: list[str], *left_out: str) -> Path:
    """Repeat records in a clone, without tea-runner; its tree stays as it is."""
    there = clone(lab, lab.root / "stranger")
    lab.env = {**lab.env, "PATH": programs(lab.root / "programs", "tea-runner", *left_out)}
    tip = lab.git("rev-parse", "HEAD", cwd=there)
    for commit in commits:
        said = lab.do("datalad", "-l", "error", "rerun", commit, cwd=there)
        assert "run(ok)" in said
    assert "" == lab.git("status", "--porcelain", cwd=there)
    assert tip == lab.git("rev-parse", "HEAD", cwd=there)
    return there


def test_a_record_needs_no_tea_runner(made: Lab) -> None:
    """Variables, names and bytes of the view are those that the worker made: the results are the same."""
    command = TELL.replace("$TO", '$(basename "$in")')
    up = spec("up", command, pfs(glob="/*"), transform={"env": {"LEVEL": "5 {} $HOME"}})
    files = {
        "raw/a.txt": "a\n",
        "raw/b c/1.txt": "1\n",
        "raw/b c/.gitignore": "x\n",
        "raw/b c/sub/2.txt": "2\n",
        "up/spec.yml": up,
        "up/tool.py": "print()\n",
        "code/all.sh": "true\n",
    }
    commits = settle(made, files)
    assert 2 == len(commits)
    message = made.git("show", "-s", "--format=%B", commits[0])
    assert "tea-runner exec" not in message
    there = rerun(made, commits)
    assert "a\n" == (there / "up/a.txt.text").read_text()
    assert "1\n2\n" == (there / "up/b c.text").read_text()


@pytest.mark.long
def test_links_inside_the_dataset_are_followed(made: Lab) -> None:
    """Links to files and folders, in inputs and code, are what they lead to."""
    made.create(
        files={**ATTRIBUTES, "raw/a/1.txt": "1\n", "raw/b/2.txt": "2\n", "up/tool.py": "1\n"}
    )
    for name, target in {
        "raw/a/two.txt": "../b/2.txt",
        "raw/a/more": "../b",
        "up/same.py": "tool.py",
    }.items():
        (made.dataset / name).symlink_to(target)
    command = TELL.replace("$TO", '$(basename "$in")')
    command += '; cat "$TEA_DATASET/up/same.py" > "$PFS/out/$(basename "$in").code"'
    made.write({"up/spec.yml": spec("up", command)})
    made.save()
    pushed = made.push()
    assert "settled" == getattr(made.settle(), "state", "")
    made.pull()
    there = rerun(made, list(records(made, pushed)))
    assert "1\n2\n2\n" == (there / "up/a.text").read_text()


@pytest.mark.long
def test_all_kinds_of_views_are_made_again(made: Lab) -> None:
    """Results as inputs, joins, hidden names, placeholders, links, standard input, and other exit codes."""
    up = spec("up", 'cp "$in" "$PFS/out/"')
    down = spec("down", TELL.replace("$TO", "all"), pfs("up", "/"))
    sides = [
        pfs(name="left", repo="raw", glob="/(*).txt", joinOn="$1", outer_join=True)["pfs"],
        pfs(name="right", repo="more", glob="/(*).csv", joinOn="$1")["pfs"],
    ]
    sides[0]["name"], sides[1]["name"] = "left", "right"
    joined = spec(
        "joined",
        TELL.replace("$TO", "view"),
        {"join": [{"pfs": side} for side in sides]},
        output={"path": "$1"},
    )
    links = spec(
        "links",
        'cd "$PFS/out"; name="$(basename "$in")"; ln -s "$in" "$name"; '
        'sed "s/x/y/" > "words-$name"; ln -s "words-$name" "link-$name"; exit 3',
        pfs("raw", "/*.txt", empty_files=True),
        transform={"stdin": ["x {}", "z"], "acceptReturnCode": [3], "working_dir": "links"},
    )
    files = {
        "raw/a.txt": "a\n",
        "raw/b.txt": "b\n",
        "more/a.csv": "1\n",
        "up/spec.yml": up,
        "down/spec.yml": down,
        "joined/spec.yml": joined,
        "links/spec.yml": links,
        "links/note.sh": "true\n",
    }
    commits = settle(made, files)
    assert 7 == len(commits)
    there = rerun(made, commits)
    assert {"a.txt", "b.txt"} == {path.name for path in (there / "links").glob("?.txt")}


@pytest.mark.long
def test_a_datum_of_very_many_files_is_made_again(made: Lab) -> None:
    """What a command has no room for is in a blob beside the results."""
    files = {f"raw/all/{'x' * 120}-{number}": "1\n" for number in range(450)}
    group = {"group": [pfs(glob="/all/(x)*", group_by="$1")]}
    command = 'cat "$PFS"/in/all/* >"$PFS/out/all"'
    (commit,) = settle(made, {**files, "up/spec.yml": spec("up", command, group)})
    message = made.git("show", "-s", "--format=%B", commit)
    assert ("--datums" in message, "tea-runner exec" in message) == (True, False)
    there = rerun(made, [commit])
    assert 450 == len((there / "up/all").read_text().splitlines())


@pytest.mark.long
@pytest.mark.parametrize("is_open", [True, False], ids=["with a link", "without a link"])
def test_without_bubblewrap_folders_do(made: Lab, is_open: bool) -> None:
    """What is in $PFS is enough for a command that uses it; where /pfs cannot be made, that is said."""
    text = 'cat "$in" > "$PFS/out/$(basename "$in")"; test "$(cat pfs/in/*)" = "$(cat "$in")"'
    commits = settle(made, {"raw/a.txt": "a\n", "up/spec.yml": spec("up", text)})
    there = clone(made, made.root / "stranger")
    path = programs(made.root / "programs", "tea-runner", "bwrap")
    words = ["env", f"PATH={path}", "datalad", "-l", "error", "rerun", commits[0]]
    if not is_open:
        root = str(made.root)
        words = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--bind", root, root, *words]
        words[1:1] = ["--setenv", "TMPDIR", root]
    done = process.run(words, env=made.env, cwd=there)
    assert b"run(ok)" in done.stdout
    said = b"rerun: without bubblewrap the inputs are in $PFS only" in done.stderr
    assert said is not is_open or os.getuid() != 0
    assert "" == made.git("status", "--porcelain", cwd=there)
    assert not os.path.lexists("/pfs")


@pytest.mark.long
def test_nothing_in_the_work_tree_replaces_the_program(made: Lab) -> None:
    """A record names the program by its blob; one that was changed is put back with the next results."""
    commits = settle(made, {"raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
    made.write({PROGRAM_PATH: "import os; os.mkdir('/tmp/replaced')\n", "raw/b.txt": "b\n"})
    made.save()
    made.push()
    assert "settled" == getattr(made.settle(), "state", "")
    made.pull()
    assert PROGRAM == (made.dataset / PROGRAM_PATH).read_bytes()
    tampered = clone(made, made.root / "tampered")
    (tampered / PROGRAM_PATH).write_text("raise SystemExit(1)\n")
    made.git("commit", "-qam", "tamper", cwd=tampered)
    path = programs(made.root / "programs", "tea-runner")
    argv = ["env", f"PATH={path}", "datalad", "-l", "error", "rerun", commits[0]]
    assert "run(ok)" in made.do(*argv, cwd=tampered)


@pytest.mark.long
def test_why_names_a_command_that_works(made: Lab) -> None:
    """What ``tea-runner why`` prints below a result, pasted into a shell."""
    settle(made, {"raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
    said = made.do("tea-runner", "why", "up/a.txt")
    (command,) = [line.split(": ", 1)[1] for line in said.splitlines() if "repeat it with" in line]
    there = clone(made, made.root / "stranger")
    assert "run(ok)" in made.do("bash", "-ec", command, cwd=there)
    assert "" == made.git("status", "--porcelain", cwd=there)
