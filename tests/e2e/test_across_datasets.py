"""Pipelines over subdatasets, and datasets that follow others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.e2e.lab import Lab

Count = tuple[str, Callable[[], int]]


def spec(name: str, repo: str, command: str, *, track: bool = False, glob: str = "/*") -> str:
    """A pipeline file whose command is a line of shell."""
    tracked = "\n    track: true" if track else ""
    return (
        f"pipeline:\n  name: {name}\ninput:\n  pfs:\n    name: data\n    repo: {repo}\n"
        f'    glob: "{glob}"{tracked}\ntransform:\n  cmd: ["sh", "-c", {command!r}]\n'
    )


def shout(counter: str) -> str:
    """Upper-case copies of the inputs, counted."""
    return f"{counter}; f=$(ls $PFS/data); tr a-z A-Z < $PFS/data/$f > $PFS/out/$f"


class Group:
    """Several repositories of one folder forge, each with a clone."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        lab.watched = "lab/*"
        self.forge = Path(lab._forge["url"])
        self.clones: dict[str, Path] = {"data": lab.dataset}

    def make(self, name: str) -> Path:
        """A further dataset ``lab/NAME`` with the same storage."""
        bare = self.forge / "lab" / f"{name}.git"
        env = dict(os.environ)
        process.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], env=env)
        process.run(["git", "-C", str(bare), "config", "uploadpack.allowFilter", "true"], env=env)
        clone = self.lab.root / name
        lab = self.lab
        lab.do("datalad", "-l", "error", "create", str(clone), cwd=lab.root)
        lab.do(
            "git",
            "annex",
            "initremote",
            "store",
            "type=directory",
            f"directory={lab.store}",
            "encryption=none",
            "autoenable=true",
            f"uuid={lab._uuid}",
            cwd=clone,
            check=False,
        )
        lab.git("remote", "add", "origin", bare.as_uri(), cwd=clone)
        lab.git("config", "remote.origin.annex-ignore", "true", cwd=clone)
        self.clones[name] = clone
        return clone

    def write(self, name: str, files: dict[str, str]) -> None:
        """Write files of a dataset and save them."""
        clone = self.clones[name]
        for path, text in files.items():
            target = clone / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.write_text(text)
        self.lab.do("datalad", "-l", "error", "save", "-m", "change", cwd=clone)

    def push(self, name: str) -> str:
        """Content to storage where there is one, branches to the forge."""
        clone = self.clones[name]
        self.lab.do("git", "annex", "copy", "--quiet", "--to", "store", cwd=clone)
        self.lab.git("push", "-q", "origin", "main", "git-annex", cwd=clone)
        return self.lab.git("rev-parse", "HEAD", cwd=clone).strip()

    def announce(self, name: str) -> None:
        """As a delivery would; then carry on until nothing waits."""
        self.lab.site().plan_requests.request_plan(f"lab/{name}", "refs/heads/main", why="test")
        self.lab.work_off()

    def show(self, name: str, path: str) -> str:
        """A result's content at the forge's tip: small files are in git here."""
        bare = self.forge / "lab" / f"{name}.git"
        return self.lab.git("--git-dir", str(bare), "show", f"main:{path}", cwd=self.lab.root)

    def log(self, name: str) -> list[str]:
        """First-parent history of main, newest first."""
        bare = self.forge / "lab" / f"{name}.git"
        out = self.lab.git(
            "--git-dir",
            str(bare),
            "log",
            "--first-parent",
            "--format=%H",
            "main",
            cwd=self.lab.root,
        )
        return out.split()


IN_GIT = "* annex.backend=MD5E\n* annex.largefiles=nothing\n"


def start(lab: Lab, counter: str, *, track: bool) -> Group:
    """``lab/raw`` with two files, and ``lab/data`` whose pipeline reads it as a subdataset."""
    lab.create(files={".gitattributes": IN_GIT})
    group = Group(lab)
    group.make("raw")
    group.write("raw", {".gitattributes": IN_GIT, "in/a.txt": "a\n", "in/b.txt": "b\n"})
    group.push("raw")
    url = (group.forge / "lab" / "raw.git").as_uri()
    lab.do("git", "-c", "protocol.file.allow=always", "submodule", "-q", "add", url, "raw")
    lab.write({"shout/spec.yml": spec("shout", "raw/in", shout(counter), track=track)})
    lab.save("follow raw")
    lab.push()
    group.announce("data")
    return group


def test_a_subdataset_is_an_input_at_its_pin(lab: Lab, counted: Count) -> None:
    """The files of the pinned commit are the datums; a push upstream changes nothing downstream."""
    counter, count = counted
    group = start(lab, counter, track=False)

    assert 2 == count()
    assert "A\n" == group.show("data", "shout/a.txt")
    tip = lab.tip()
    group.write("raw", {"in/a.txt": "aa\n"})
    group.push("raw")
    group.announce("raw")
    group.announce("data")
    assert 0 == count()
    assert tip == lab.tip()


@pytest.mark.long
def test_a_subdataset_of_a_subdataset_is_an_input_and_the_rest_is_left_alone(
    lab: Lab, counted: Count
) -> None:
    """Files two subdatasets deep are datums; a third subdataset, which nothing reads, is never fetched."""
    counter, count = counted
    lab.create(files={".gitattributes": IN_GIT})
    group = Group(lab)
    add = ("git", "-c", "protocol.file.allow=always", "submodule", "-q", "add")
    for name in ("inner", "middle", "aside"):
        group.make(name)
        group.write(name, {".gitattributes": IN_GIT, "in/a.txt": f"{name}\n"})
    group.push("aside")
    group.push("inner")
    lab.do(*add, (group.forge / "lab/inner.git").as_uri(), "deep", cwd=group.clones["middle"])
    group.write("middle", {"notes.txt": "the inner one is below deep\n"})
    group.push("middle")
    for name in ("middle", "aside"):
        lab.do(*add, (group.forge / f"lab/{name}.git").as_uri(), f"from/{name}")
    lab.write({"shout/spec.yml": spec("shout", "from/middle/deep/in", shout(counter))})
    lab.save("read what lies deep")
    lab.push()
    group.announce("data")

    assert 1 == count()
    assert "INNER\n" == group.show("data", "shout/a.txt")
    mirrors = {path.name for path in (lab.root / "hosts").rglob("*.git") if path.is_dir()}
    assert {"lab%2Fdata.git", "lab%2Fmiddle.git", "lab%2Finner.git"} == mirrors


@pytest.mark.long
def test_subdatasets_of_a_superdataset_are_datums(lab: Lab, counted: Count) -> None:
    """Annexed content comes by each one's own mirror; code is a subdataset too; one more is left alone."""
    counter, count = counted
    lab.create(files={})
    group = Group(lab)
    add = ("git", "-c", "protocol.file.allow=always", "submodule", "-q", "add")
    places = {"one": "raw/sub-1", "two": "raw/sub-2", "tool": "code/tool", "aside": "aside"}
    for name, path in places.items():
        group.make(name)
        group.write(name, {"t1.txt": f"{name}\n", "run.sh": "tr a-z A-Z\n"})
        group.push(name)
        lab.do(*add, (group.forge / f"lab/{name}.git").as_uri(), path)
    command = f"{counter}; sh code/tool/run.sh < $data/t1.txt > $PFS/out/$(basename $data).txt"
    lab.write(
        {
            ".gitattributes": IN_GIT,
            "shout/spec.yml": spec("shout", "raw", command, glob="/sub-*"),
        }
    )
    lab.save("subjects")
    lab.push()
    group.announce("data")

    assert 2 == count()
    assert "ONE\n" == group.show("data", "shout/sub-1.txt")
    mirrors = {path.name for path in (lab.root / "hosts").rglob("*.git") if path.is_dir()}
    assert {f"lab%2F{name}.git" for name in ("data", "one", "two", "tool")} == mirrors

    group.write("one", {"t1.txt": "changed\n"})
    pin = group.push("one")
    lab.pull()
    lab.git("fetch", "-q", "origin", cwd=lab.dataset / "raw/sub-1")
    lab.git("checkout", "-q", pin, cwd=lab.dataset / "raw/sub-1")
    lab.git("add", "raw/sub-1")
    lab.save("a new pin")
    lab.push()
    group.announce("data")
    assert (1, "CHANGED\n") == (count(), group.show("data", "shout/sub-1.txt"))


@pytest.mark.long
def test_a_push_upstream_moves_the_pin_of_who_follows_it(lab: Lab, counted: Count) -> None:
    """Only upstream is announced; one datum runs, and the results commit carries the moved pin."""
    counter, count = counted
    group = start(lab, counter, track=True)
    assert 2 == count()

    group.write("raw", {"in/a.txt": "again\n"})
    pushed = group.push("raw")
    group.announce("raw")

    assert 1 == count()
    assert "AGAIN\n" == group.show("data", "shout/a.txt")
    bare = group.forge / "lab" / "data.git"
    entry = lab.git("--git-dir", str(bare), "ls-tree", "main", "raw", cwd=lab.root)
    assert pushed == entry.split()[2]


@pytest.mark.long
def test_a_chain_of_three_repositories_is_followed_to_its_end(lab: Lab, counted: Count) -> None:
    """A push to the first makes results in the second, and those make results in the third."""
    counter, count = counted
    group = start(lab, counter, track=True)
    last = group.make("last")
    url = (group.forge / "lab" / "data.git").as_uri()
    lab.do(
        "git", "-c", "protocol.file.allow=always", "submodule", "-q", "add", url, "data", cwd=last
    )
    group.write(
        "last",
        {
            ".gitattributes": IN_GIT,
            "twice/spec.yml": spec(
                "twice",
                "data/shout",
                f"{counter}; f=$(ls $PFS/data); cat $PFS/data/$f $PFS/data/$f > $PFS/out/$f",
                track=True,
                glob="/*.txt",
            ),
        },
    )
    group.push("last")
    group.announce("last")
    assert 4 == count()

    group.write("raw", {"in/b.txt": "new\n"})
    group.push("raw")
    group.announce("raw")

    assert 2 == count()
    assert "NEW\nNEW\n" == group.show("last", "twice/b.txt")


@pytest.mark.long
def test_two_datasets_that_follow_each_other_come_to_rest(lab: Lab, counted: Count) -> None:
    """A circle ends by content: each reads what the other leaves as it is."""
    counter, count = counted
    group = start(lab, counter, track=True)
    raw = group.clones["raw"]
    url = (group.forge / "lab" / "data.git").as_uri()
    lab.do(
        "git", "-c", "protocol.file.allow=always", "submodule", "-q", "add", url, "data", cwd=raw
    )
    group.write(
        "raw",
        {"back/spec.yml": spec("back", "data/shout", shout(counter), track=True, glob="/*.txt")},
    )
    group.push("raw")
    count()
    group.announce("raw")
    ended = group.log("raw"), group.log("data")

    group.announce("raw")
    group.announce("data")
    assert ended == (group.log("raw"), group.log("data"))
    assert 2 == count()
