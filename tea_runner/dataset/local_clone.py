"""A person's own clone in, a dataset as the steps see it out: no forge, no queue, no server.

Reads the clone's objects, publishes by moving its branch and bringing the working tree along, and
leaves content where git-annex would.  It takes the person's own git settings, because the clone, its
remotes and its credentials are theirs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tea_runner.core.errors import CommandError, NotFound, UserError
from tea_runner.core.git.submodules import Submodule
from tea_runner.dataset.annex import Annex
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.mirror import Mirror
from tea_runner.host import process
from tea_runner.ports import Subdatasets


def find_clone(start: Path, variables: Mapping[str, str]) -> tuple[Path, Path]:
    """Working tree and git directory of the clone that *start* lies in.

    :raises NotFound: when there is none.
    """
    argv = ["git", "-C", str(start), "rev-parse", "--show-toplevel", "--absolute-git-dir"]
    done = process.run(argv, env=variables, check=False)
    lines = done.stdout.decode("utf-8", "surrogateescape").splitlines()
    if done.returncode or len(lines) < 2:
        raise NotFound(f"{start} is in no git repository; go into your dataset, or use -C DIR")
    return Path(lines[0]), Path(lines[1])


def clone_environment(variables: Mapping[str, str], home: Path) -> GitEnvironment:
    """The person's own environment, without what would make git look elsewhere."""
    kept = {name: value for name, value in variables.items() if not name.startswith("GIT_")}
    # A network question that nobody answers would hang for ever.
    kept.update(GIT_TERMINAL_PROMPT="0", GIT_NO_REPLACE_OBJECTS="1", GIT_LITERAL_PATHSPECS="1")
    return GitEnvironment(variables=kept, home=home)


class CloneMirror(Mirror):
    """The clone itself in the place of a mirror."""

    def __init__(self, worktree: Path, git_dir: Path, environment: GitEnvironment) -> None:
        super().__init__(git_dir, "", environment)
        self.worktree = worktree

    def ensure(self) -> None:
        """It is there."""

    def fetch(self, *refspecs: str) -> None:
        """What the clone has is what counts."""

    def _move(self, act: Callable[[], object]) -> None:
        """A person moves refs here too: what they are is asked each time."""
        act()

    def head(self) -> str:
        """Name of the branch that is checked out.

        :raises UserError: when none is.
        """
        out = self.git("symbolic-ref", "-q", "--short", "HEAD", check=False).decode().strip()
        if not out:
            raise UserError("no branch is checked out; git switch to the branch to work on")
        return out

    def push(self, updates: Sequence[tuple[str, str, str | None]]) -> bool:
        """Move the clone's refs; the branch that is checked out takes its working tree along."""
        there = self.refs("refs/")
        if any(there.get(ref, "") != (expected or "") for ref, _, expected in updates):
            return False
        head = "refs/heads/" + self.head()
        others = [update for update in updates if update[0] != head]
        lines = [
            f"update {ref} {new} {expected or '0' * len(new)}"
            if new
            else f"delete {ref} {expected}"
            for ref, new, expected in others
        ]
        if lines:
            self.git("update-ref", "--stdin", stdin="\n".join(lines).encode() + b"\n")
        for ref, new, _ in updates:
            if ref == head:
                self._bring_along(new)
        return True

    def _bring_along(self, commit: str) -> None:
        argv = ["git", "-c", "core.hooksPath=/dev/null", "merge", "-q", "--ff-only", commit]
        try:
            process.run(argv, env=self.environment.variables, cwd=self.worktree, why="git merge")
        except CommandError as error:
            words = error.stderr.strip() or error.message
            raise UserError(
                f"the results are computed, but cannot be put into your working tree: {words}; "
                f"commit or stash what is in the way and run again, nothing is computed twice"
            ) from error


class Clone(ForgeDataset):
    """A dataset that is a person's clone."""

    branches = "refs/heads/"
    is_clone = True
    # No refs of ours in a person's clone.
    keeps = False

    def __init__(
        self, name: str, mirror: CloneMirror, annex: Annex, subdatasets: Subdatasets
    ) -> None:
        super().__init__(name, mirror, annex, subdatasets=subdatasets)
        self.clone = mirror

    def _note(self, updates: Sequence[tuple[str, str, str | None]]) -> None:
        """The refs that were moved are the clone's own already."""

    def remote_log(self) -> bytes:
        """Only a sign that the annex may be prepared: the clone's remotes are its own."""
        return os.fsencode(str(self.mirror.git_dir))


def open_clone(start: Path, variables: Mapping[str, str]) -> Clone:
    """The dataset that *start* lies in.

    :raises NotFound: when it lies in none.
    """
    worktree, git_dir = find_clone(start, variables)
    environment = clone_environment(variables, worktree)
    mirror = CloneMirror(worktree, git_dir, environment)
    annex = Annex(git_dir, environment, (), own=False)
    return Clone(worktree.name, mirror, annex, CloneSubdatasets(worktree, variables))


class CloneSubdatasets:
    """Subdatasets that are installed below a person's clone."""

    def __init__(self, worktree: Path, variables: Mapping[str, str]) -> None:
        self._worktree = worktree
        self._variables = variables
        self._opened: dict[str, Clone] = {}

    def name(self, submodule: Submodule) -> str:
        """Its path: the clone knows no forge."""
        return submodule.path

    def dataset(self, submodule: Submodule, commit: str) -> ForgeDataset:
        """The subdataset with this commit at hand.

        :raises UserError: when it is not installed, or does not have the commit.
        """
        place = self._worktree / submodule.path
        if submodule.path not in self._opened:
            if not (place / ".git").exists():
                raise UserError(
                    f"subdataset {submodule.path} is not installed here; "
                    f"get it: datalad get -n {submodule.path}"
                )
            self._opened[submodule.path] = open_clone(place, self._variables)
        clone = self._opened[submodule.path]
        if clone.objects.read(commit) is None:
            raise NotFound(
                f"subdataset {submodule.path} does not have commit {commit[:12]} here; "
                f"bring it: git -C {submodule.path} fetch"
            )
        return clone

    def tip(self, submodule: Submodule, branch: str) -> str | None:  # noqa: ARG002 - see the port
        """Pins are not moved in a clone."""
        return None

    def close(self) -> None:
        """End the processes behind it."""
        for clone in self._opened.values():
            clone.close()
