"""Content decides on the forge that people run: the main cases again, on a real Gitea."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, Step, pfs, push, spec, tree
from tests.gitea import Gitea

Counted = tuple[str, Callable[[], int]]
RAW = {"raw/a.txt": "a\n", "raw/b.txt": "b\n"}

pytestmark = pytest.mark.gitea


class OnGitea(NamedTuple):
    """A lab whose dataset is on a real Gitea, and that Gitea."""

    lab: Lab
    gitea: Gitea

    def second(self, files: dict[str, str]) -> tuple[str, Path]:
        """A further repository with these files, pushed; its name and the clone."""
        lab = self.lab
        name = self.gitea.repository(f"second-{time.time_ns()}")
        clone = lab.root / "second"
        lab.do("datalad", "-l", "error", "create", str(clone), cwd=lab.root)
        lab.git("remote", "add", "origin", self.gitea.push_url(name), cwd=clone)
        lab.git("config", "remote.origin.annex-ignore", "true", cwd=clone)
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
        )
        self.save(clone, files)
        return name, clone

    def save(self, clone: Path, files: dict[str, str]) -> str:
        """Save files in a clone and push them; answers the commit."""
        lab = self.lab
        for path, text in files.items():
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            (clone / path).unlink(missing_ok=True)
            (clone / path).write_text(text)
        lab.do("datalad", "-l", "error", "save", "-m", "change", cwd=clone)
        lab.do("git", "annex", "copy", "--quiet", "--to", "store", cwd=clone)
        lab.git("push", "-q", "origin", "main", "git-annex", cwd=clone)
        return lab.git("rev-parse", "HEAD", cwd=clone).strip()

    def announce(self, name: str) -> None:
        """As a delivery would; then carry on until nothing waits."""
        self.lab.site().plan_requests.request_plan(name, "refs/heads/main", why="test")
        self.lab.work_off()


@pytest.fixture
def on_gitea(tmp_path: Path, gitea: Gitea) -> Iterator[OnGitea]:
    """An empty repository on the real Gitea, and a server that looks after it as its bot."""
    name = gitea.repository(f"content-{time.time_ns()}")
    root = tmp_path / "lab"
    root.mkdir()
    lab = Lab(root, forge=gitea.as_bot(root), push_url=gitea.push_url(name), name=name)
    lab.watched = f"{gitea.owner}/*"
    lab.settings = f'trusted_repositories = ["{gitea.owner}/*"]\n'
    yield OnGitea(lab, gitea)
    lab.close()


def test_going_back_branches_and_removal_compute_nothing(
    on_gitea: OnGitea, counted: Counted
) -> None:
    """A, B and A again; a branch without results; a removed input; equal bytes upstream."""
    lab = on_gitea.lab
    echo, count = counted
    size = f'{echo}; for f in "$PFS"/in/*; do wc -c < "$f" > "$PFS/out/$(basename "$f")"; done'
    specs = {
        "up/spec.yml": spec("up", size),
        "down/spec.yml": spec("down", f"{echo}; {COPY}", pfs("up", "/*.txt")),
    }
    lab.create(files={**ATTRIBUTES, **RAW, **specs})
    begun = lab.git("rev-parse", "HEAD").strip()

    assert Step(4, True, "settled") == push(lab, count)
    first = tree(lab, "up", "down")
    assert Step(0, False, "settled") == push(lab, count, {"README.md": "read me\n"})
    # Early cut-off: the same size, so nothing downstream; then another size, so both.
    assert Step(1, True, "settled") == push(lab, count, {"raw/a.txt": "z\n"})
    assert first == tree(lab, "up", "down")
    assert Step(2, True, "settled") == push(lab, count, {"raw/a.txt": "longer\n"})
    assert Step(0, True, "settled") == push(lab, count, {"raw/a.txt": "a\n"})
    assert first == tree(lab, "up", "down")
    assert Step(0, True, "settled") == push(lab, count, {"raw/a.txt": None})
    assert {"up/b.txt", "down/b.txt"} == set(tree(lab, "up", "down"))

    lab.git("switch", "-q", "-c", "other", begun)
    assert Step(0, True, "settled") == push(lab, count, branch="other")
    assert first == tree(lab, "up", "down")


def test_a_second_repository_with_the_same_inputs_computes_nothing(
    on_gitea: OnGitea, counted: Counted
) -> None:
    """Another name, another history, the same content and pipeline: the first one's results."""
    lab = on_gitea.lab
    echo, count = counted
    files = {**ATTRIBUTES, **RAW, "up/spec.yml": spec("up", f"{echo}; {COPY}")}
    lab.create(files=files)
    assert Step(2, True, "settled") == push(lab, count)
    name, clone = on_gitea.second(files)

    on_gitea.announce(name)
    assert 0 == count()
    lab.git("pull", "-q", "--ff-only", "origin", "main", cwd=clone)
    assert ["a.txt", "b.txt", "manifest.sig", "manifest.tsv", "spec.yml"] == sorted(
        path.name for path in (clone / "up").iterdir()
    )
    assert "a\n" == (clone / "up" / "a.txt").read_text()


def test_a_push_to_a_tracked_subdataset_moves_its_pin_with_the_results(
    on_gitea: OnGitea, counted: Counted
) -> None:
    """Only the upstream repository is announced; one command runs, and the commit moves the pin."""
    lab = on_gitea.lab
    echo, count = counted
    lab.create(files=ATTRIBUTES)
    upstream, clone = on_gitea.second({**ATTRIBUTES, "in/a.txt": "a\n", "in/b.txt": "b\n"})
    lab.git("submodule", "-q", "add", on_gitea.gitea.push_url(upstream), "raw")
    lab.git("submodule", "-q", "set-url", "raw", f"{on_gitea.gitea.url}/{upstream}.git")
    follow = spec("up", f"{echo}; {COPY}", pfs("raw/in", track=True))
    assert Step(2, True, "settled") == push(lab, count, {"up/spec.yml": follow})

    pushed = on_gitea.save(clone, {"in/a.txt": "again\n"})
    on_gitea.announce(upstream)
    assert 1 == count()
    lab.pull()
    assert {"up/a.txt": "again\n", "up/b.txt": "b\n"} == tree(lab, "up")
    assert pushed == lab.git("rev-parse", "HEAD:raw").strip()
