"""Missing, truncated or changed content never reaches a command; its datum waits."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import folder_lab
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec, tree
from tests.faults.oracle import stored

RAW = {"raw/a.txt": "a\n", "raw/b.txt": "b\n", "raw/c.txt": "c\n"}
RESULTS = {"up/a.txt": "a\n", "up/b.txt": "b\n", "up/c.txt": "c\n"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Three annexed files and a pipeline that copies them, pushed."""
    made = folder_lab(tmp_path)
    made.create(files={**ATTRIBUTES, **RAW, "up/spec.yml": spec("up", COPY)})
    made.push()
    yield made
    made.close()


@pytest.fixture
def hands(lab: Lab) -> Iterator[Hands]:
    """One host, moved by hand."""
    made = Hands(lab)
    yield made
    made.close()


def flip(path: Path) -> None:
    """Change one bit of a file; its size stays."""
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.parent.chmod(0o755)
    path.chmod(0o644)
    path.write_bytes(data)


def cut(path: Path) -> None:
    """Take a file's last byte away."""
    path.parent.chmod(0o755)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


def state(lab: Lab) -> str:
    """How the latest run stands."""
    (run,) = lab.site().runs.latest(1)
    return run.state


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink])
def test_harm_in_a_mirror_is_seen_and_mended(
    lab: Lab, hands: Hands, harm: Callable[[Path], None]
) -> None:
    """The command gets what was pushed, fetched again; the damaged file is kept apart."""
    hands.plan()
    repository = hands.site.repository(lab.name)
    repository.refresh()
    keys = ["MD5E-s2--60b725f10c9c85c70d97880dfe8191b3.txt"]
    (place,) = repository.prepared_annex().get(keys).values()
    place.parent.chmod(0o755)
    harm(place)

    hands.work()
    hands.plan()
    lab.pull()
    assert RESULTS == tree(lab, "up")
    assert b"a\n" == place.read_bytes()
    repository.close()


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink])
def test_harm_in_storage_is_waited_out(
    lab: Lab, hands: Hands, harm: Callable[[Path], None]
) -> None:
    """No command runs on it; when the storage is whole and ``git-annex`` moves, it runs by itself."""
    whole = lab.root / "whole"
    shutil.copytree(lab.store, whole)
    (name,) = (path for path in stored(lab.store) if "60b725f10c9c85c70d97880dfe8191b3" in path)
    (lab.store / name).parent.chmod(0o755)
    harm(lab.store / name)
    hands.plan()
    hands.work()
    advance = hands.plan()
    assert advance is not None
    assert {"wait": 1, "reuse": 2} == advance.pipelines["up"].counts
    assert "no content in store" in advance.pipelines["up"].detail

    for path in stored(whole):
        (lab.store / path).parent.mkdir(exist_ok=True)
        (lab.store / path).unlink(missing_ok=True)
        shutil.copyfile(whole / path, lab.store / path)
    assert [] == hands.reconciler.round()
    lab.git("annex", "describe", "here", "somebody copied what was missing")
    lab.git("push", "-q", "origin", "git-annex")
    (mended,) = hands.reconciler.round()
    assert "content may have come" in mended
    lab.work_off()
    lab.pull()
    assert ("settled", RESULTS) == (state(lab), tree(lab, "up"))


def test_what_storage_did_not_take_is_named_nowhere(lab: Lab, hands: Hands) -> None:
    """Content before pointers: no ref of the job is pushed, and it is tried again when storage is back."""
    lab.write({".gitattributes": "* annex.backend=MD5E\nup/*.txt annex.largefiles=anything\n"})
    lab.save()
    tip = lab.push()
    hands.plan()
    hands.work(0)
    repository = hands.site.repository(lab.name)
    repository.refresh()
    repository.prepared_annex().get(path.rsplit("/", 1)[1] for path in stored(lab.store))
    elsewhere = lab.store.rename(lab.root / "elsewhere")
    hands.work()
    assert {} == repository.unsettled_results()
    assert tip == lab.tip()

    elsewhere.rename(lab.store)
    lab.work_off()
    lab.pull()
    assert {"up/a.txt", "up/b.txt", "up/c.txt"} == set(tree(lab, "up"))
    assert 3 == len(lab.git("annex", "find", "--in", "store", "up").split())
    repository.close()
