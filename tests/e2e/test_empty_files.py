"""Inputs with ``empty_files``: names to see, and links to them that become the files themselves."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.cli.dataset import tea
from tests.e2e.lab import Lab
from tests.e2e.pipelines import COPY, Step, pfs, push, spec, tree
from tests.e2e.test_across_datasets import Group

Counted = tuple[str, Callable[[], int]]
#: ``raw`` is annexed, except for notes; results are kept in git if no rule of theirs says otherwise.
ATTRIBUTES = {
    ".gitattributes": "* annex.backend=MD5E\n* annex.largefiles=nothing\n"
    "raw/** annex.largefiles=anything\nraw/*.note annex.largefiles=nothing\n"
}
FILES = {**ATTRIBUTES, "raw/a.jpg": "JPEG a\n", "raw/b.jpg": "JPEG b\n", "raw/c.note": "note\n"}
#: As Pachyderm's example "shuffle" does it.
SHUFFLE = (
    'for f in "$PFS"/in/*; do n=$(basename "$f"); mkdir "$PFS/out/${n%.*}"; '
    'ln -s "$f" "$PFS/out/${n%.*}/it"; done'
)


def shuffle(echo: str, **more: object) -> str:
    """A pipeline file that moves files without reading them."""
    return spec("up", f"{echo}; {SHUFFLE}", pfs(empty_files=True, **more))


def push_without_content(lab: Lab) -> str:
    """Push the branches alone: what is not in storage cannot be fetched."""
    branch = lab.git("symbolic-ref", "--short", "HEAD").strip()
    lab.git("push", "-q", "origin", branch, "git-annex")
    run = lab.settle()
    lab.pull()
    return run.state if run else "no run"


def entries(lab: Lab, *paths: str) -> list[str]:
    """Mode and key or blob of files at HEAD, whatever the depth of a link to the annex."""
    found = []
    for path in paths:
        mode, _, blob, _ = lab.git("ls-tree", "HEAD", path).split()
        key = lab.git("cat-file", "blob", blob) if mode == "120000" else blob
        found.append(f"{mode} {os.path.basename(key)}")
    return found


def test_a_link_to_an_empty_file_is_the_file(lab: Lab, counted: Counted) -> None:
    """Its own annex key or git blob is the output; no content is fetched, for there is none."""
    lab.create(files={**FILES, "up/spec.yml": shuffle(counted[0])})

    assert "settled" == push_without_content(lab)
    assert 3 == counted[1]()
    assert entries(lab, "raw/a.jpg", "raw/b.jpg", "raw/c.note") == entries(
        lab, "up/a/it", "up/b/it", "up/c/it"
    )
    assert "up/a/it" in lab.git("ls-tree", "-r", "--name-only", "HEAD", "up/")


@pytest.mark.long
def test_the_location_log_states_no_storage_that_was_not_asked(lab: Lab, counted: Counted) -> None:
    """What is nowhere in storage is not logged there because a result names it."""
    lab.create(files={**FILES, "up/spec.yml": shuffle(counted[0])})
    lab.settle()
    before = lab.git("rev-parse", "git-annex")
    assert "settled" == push_without_content(lab)

    assert before == lab.git("rev-parse", "origin/git-annex")


@pytest.mark.long
def test_a_known_result_is_reused_although_its_content_is_nowhere(
    lab: Lab, counted: Counted
) -> None:
    """A pipeline that is moved gets the outputs: their content is as available as the inputs'."""
    up = shuffle(counted[0])
    lab.create(files={**FILES, "up/spec.yml": up})
    assert "settled" == push_without_content(lab)
    lab.write({"up/spec.yml": None, "moved/up/spec.yml": up})
    lab.save()
    counted[1]()

    assert "settled" == push_without_content(lab)
    assert 0 == counted[1]()
    assert entries(lab, "raw/a.jpg", "raw/c.note") == entries(lab, "moved/up/a/it", "moved/up/c/it")


@pytest.mark.long
def test_a_changed_file_is_moved_again(lab: Lab, counted: Counted) -> None:
    """The content is in the key, since a result can have it."""
    echo, count = counted
    lab.create(files={**FILES, "up/spec.yml": shuffle(echo)})
    assert Step(3, True, "settled") == push(lab, count)

    assert Step(1, True, "settled") == push(lab, count, {"raw/a.jpg": "other\n"})
    assert entries(lab, "raw/a.jpg") == entries(lab, "up/a/it")


@pytest.mark.long
def test_what_is_downstream_reads_the_content(lab: Lab, counted: Counted) -> None:
    """The moved files are inputs as all others, and a clone can get them."""
    down = spec("down", COPY, pfs("up", "/*/*"))
    lab.create(files={**FILES, "up/spec.yml": shuffle(counted[0]), "down/spec.yml": down})
    push(lab, counted[1])

    assert {"down/a/it": "JPEG a\n", "down/b/it": "JPEG b\n", "down/c/it": "note\n"} == tree(
        lab, "down"
    )


@pytest.mark.long
def test_a_large_file_in_git_is_the_same_blob(lab: Lab, counted: Counted) -> None:
    """Mirrors have no such blobs; the size in the manifest is the true one all the same."""
    files = {**FILES, "raw/large.note": "x" * 50_000}
    lab.create(files={**files, "up/spec.yml": shuffle(counted[0], glob="/large*")})
    assert Step(1, True, "settled") == push(lab, counted[1])

    assert entries(lab, "raw/large.note") == entries(lab, "up/large/it")
    assert "50000" in lab.git("show", "HEAD:up/manifest.tsv")


@pytest.mark.long
def test_a_file_of_a_subdataset_is_saved_here(lab: Lab, counted: Counted) -> None:
    """The dataset knows no storage of another dataset's keys, so the content is copied."""
    group = Group(lab)
    lab.create(files=ATTRIBUTES)
    group.make("sub")
    group.write("sub", {**ATTRIBUTES, "raw/x.txt": "x\n", "raw/y.note": "y\n"})
    group.push("sub")
    url = (group.forge / "lab" / "sub.git").as_uri()
    lab.do("git", "-c", "protocol.file.allow=always", "submodule", "-q", "add", url, "sub")
    lab.write({"up/spec.yml": shuffle(counted[0]).replace('"raw"', '"sub/raw"')})
    assert Step(2, True, "settled") == push(lab, counted[1])

    assert {"up/x/it": "x\n", "up/y/it": "y\n"} == tree(lab, "up")


@pytest.mark.long
def test_a_clone_computes_verifies_and_repeats_it(lab: Lab, counted: Counted) -> None:
    """``run``, ``reproduce`` and ``datalad rerun`` without content have the same result."""
    lab.create(files={**FILES, "up/spec.yml": shuffle(counted[0])})
    lab.do("git", "annex", "drop", "--force", "--quiet", "raw")
    path = lab.env["PATH"]

    assert 0 == tea(lab.dataset, "run", "-y", env={"PATH": path}).code
    made = entries(lab, "up/a/it", "up/b/it", "up/c/it")
    assert entries(lab, "raw/a.jpg", "raw/b.jpg", "raw/c.note") == made
    assert 0 == tea(lab.dataset, "reproduce", env={"PATH": path}).code
    lab.do("git", "rm", "-rq", "up/a", "up/b", "up/c")
    blob = lab.git("rev-parse", "HEAD:up/spec.yml").strip()
    words = ("exec", "--spec", f"{blob}:0", "--pipeline", "up", "in:a.jpg", "in:c.note")
    assert 0 == tea(lab.dataset, *words, env={"PATH": path}).code
    lab.save()
    assert [made[0], made[2]] == entries(lab, "up/a/it", "up/c/it")
