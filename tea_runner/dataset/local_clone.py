"""A dataset in a user's own clone: no forge, no queue, no server.

Objects are read from the clone.  Publishing moves its branch and updates the working tree, and content is
stored where git-annex would store it.  The user's own git configuration applies, because the clone, its
remotes and its credentials are theirs.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tea_runner.core.datums.content_identity import pointer_key
from tea_runner.core.errors import CommandError, NotFound, OutsideError, Refused, UserError
from tea_runner.core.git.annex_paths import mixed_directory
from tea_runner.core.git.branch_kinds import (
    RESULTS_PREFIX,
    holds_results,
    matches_any,
    source_branch,
)
from tea_runner.core.git.ref_obstacles import ref_obstacles
from tea_runner.core.git.submodules import Submodule
from tea_runner.core.git.tree import FILES, PLAIN, differences
from tea_runner.core.results.results_branch import BranchTips, follows, results_branch
from tea_runner.dataset.annex_content import Annex
from tea_runner.dataset.annex_objects import AnnexObjects
from tea_runner.dataset.annex_program import AnnexProgram
from tea_runner.dataset.checkout_results import put_results
from tea_runner.dataset.clone_default_branch import default_branch
from tea_runner.dataset.content_storage import CloneStorage
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.dataset.fetchable_annex_keys import OwnKeys
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.git_repository import GitRepository
from tea_runner.dataset.job_result_refs import JobResultRefs
from tea_runner.dataset.result_index import ResultIndex
from tea_runner.dataset.verify_manifest_signatures import ManifestProofs
from tea_runner.host import process
from tea_runner.ports.dataset import RefUpdate, Subdatasets

#: Changed files of a commit up to which they are searched for pointers.
_MAX_CHANGES = 1000
#: Beginnings of the names of branches that git-annex makes (git-annex-adjust(1), git-annex-view(1)).
_GENERATED = ("adjusted/", "views/")
_ADJUSTED = re.compile(r"adjusted/(.*)\([^()]*\)")


class CloneFolders(NamedTuple):
    """Where a clone is."""

    worktree: Path
    #: Directory with refs, objects, configuration and annex.
    git_dir: Path
    #: Directory with ``HEAD``: another one in a linked working tree (git-worktree(1)).
    head_dir: Path


def find_clone(start: Path, variables: Mapping[str, str]) -> CloneFolders:
    """The clone that contains *start*.

    :raises NotFound: when there is none.
    """
    asked = ("--show-toplevel", "--git-common-dir", "--absolute-git-dir")
    argv = ["git", "-C", str(start), "rev-parse", "--path-format=absolute", *asked]
    done = process.run(argv, env=variables, check=False)
    lines = done.stdout.decode("utf-8", "surrogateescape").splitlines()
    if done.returncode or len(lines) < len(asked):
        raise NotFound(
            f"{start} is in no git repository", hint="go into your dataset, or use -C DIR"
        )
    return CloneFolders(*map(Path, lines))


def clone_environment(variables: Mapping[str, str], home: Path) -> GitEnvironment:
    """The user's own environment, without variables that point git to another repository."""
    kept = {name: value for name, value in variables.items() if not name.startswith("GIT_")}
    # A prompt for a password that nobody answers would hang forever.
    kept.update(GIT_TERMINAL_PROMPT="0", GIT_NO_REPLACE_OBJECTS="1", GIT_LITERAL_PATHSPECS="1")
    return GitEnvironment(variables=kept, home=home)


class CloneRepository(GitRepository):
    """A clone with a working tree."""

    def __init__(self, folders: CloneFolders, environment: GitEnvironment) -> None:
        super().__init__(folders.git_dir, environment)
        self.head_dir = folders.head_dir
        self.worktree = folders.worktree

    def head(self) -> str:
        """Name of the branch that is checked out, to be moved.

        :raises UserError: when HEAD is detached, the branch is one that git-annex makes, or the clone
            cannot be written.
        """
        if not os.access(self.git_dir, os.W_OK):
            raise UserError(
                f"the clone in {self.worktree} cannot be written",
                hint="work in a clone of your own: datalad clone",
            )
        out = self.branch()
        if holds_results(out):
            source = source_branch(out)
            raise UserError(
                f"{out} holds results of the branch {source}",
                hint=f"go to that branch and run there: git switch {shlex.quote(source)}",
            )
        if not out:
            raise UserError("no branch is checked out", hint="git switch to the branch to work on")
        if out.startswith(_GENERATED):
            # git-annex makes these branches from another one, and carries back no merge commits.
            kind, back = ("an adjusted branch", _ADJUSTED.sub(r"\1", out))
            if out.startswith("views/"):
                kind, back = "a view", "the branch that it was made of"
            raise UserError(
                f"{out} is {kind} of git-annex, which takes no results commit",
                hint=f"go to {back} (git checkout), run there, and come back afterwards",
            )
        return out

    def branch(self) -> str:
        """Name of the branch that is checked out; empty when HEAD is detached."""
        # Not --short: with a tag of the same name it would be heads/NAME.
        ref = self.git("symbolic-ref", "-q", "HEAD", check=False).decode().strip()
        return ref.removeprefix("refs/heads/")

    def move_refs(self, updates: Sequence[RefUpdate]) -> bool:
        """Move refs, each only from its expected value; the working tree follows its branch.

        :returns: False when a ref had another value, so that nothing was moved.
        :raises UserError: when the working tree cannot be updated.
        """
        refs = self.refs("refs/")
        if any(refs.get(ref, "") != (expected or "") for ref, _, expected in updates):
            return False
        head = "refs/heads/" + self.head()
        lines = [
            f"update {ref} {new} {expected or '0' * len(new)}"
            if new
            else f"delete {ref} {expected}"
            for ref, new, expected in updates
            if ref != head and new != expected
        ]
        if lines:
            self._update_refs(lines, [ref for ref, new, _ in updates if new])
        for ref, new, expected in updates:
            if ref == head and new != expected:
                self._fast_forward(expected, new)
        return True

    def _update_refs(self, lines: Sequence[str], wanted: Sequence[str]) -> None:
        """Update refs.

        :raises UserError: when a branch of the user is in the way of one that is wanted.
        """
        try:
            data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
            self.git("update-ref", "--stdin", stdin=data)
        except CommandError as error:
            for each in ref_obstacles(wanted, self.refs("refs/").keys()):
                if each.kind == "folder":
                    name = each.ref.removeprefix("refs/heads/")
                    raise UserError(
                        f"the branch {name} is in the way of {each.wanted}",
                        hint=f"rename it: git branch -m {shlex.quote(name)} {shlex.quote(name)}-old",
                    ) from error
            raise

    def _fast_forward(self, before: str | None, commit: str) -> None:
        # The user's hooks are for commits of the user's own.
        options = ["-c", "core.hooksPath=/dev/null"]
        if before and not self._has_new_pointers(before, commit):
            # To start git-annex takes ten times as long as the rest, and it has nothing to do.
            options += ["-c", "filter.annex.process=", "-c", "filter.annex.smudge="]
        argv = ["git", *options, "merge", "-q", "--ff-only", commit]
        try:
            process.run(argv, env=self.environment.variables, cwd=self.worktree, why="git merge")
        except CommandError as error:
            message = error.stderr.strip() or error.message
            raise UserError(
                f"the results are computed, but cannot be put into your working tree: {message}",
                hint="commit or stash what is in the way and run again, nothing is computed twice",
            ) from error

    def _has_new_pointers(self, before: str, commit: str) -> bool:
        """Whether a commit may bring pointers of unlocked annexed files; True when it brings much."""
        read = self.objects
        steps = differences(read.tree, read.commit(before).tree, read.commit(commit).tree)
        changed = list(islice(steps, _MAX_CHANGES + 1))
        plain = [new.oid for _, _, new in changed if new and new.mode in FILES]
        return len(changed) > _MAX_CHANGES or any(
            data is not None and pointer_key(PLAIN, data) for data in read.blobs(plain).values()
        )


class CloneDataset(GitDataset):
    """The dataset in a user's clone."""

    branches = "refs/heads/"
    is_clone = True

    def __init__(
        self,
        name: str,
        repository: CloneRepository,
        subdatasets: Subdatasets,
        proofs: ManifestProofs | None = None,
    ) -> None:
        git_dir = repository.git_dir
        program = AnnexProgram(git_dir, repository.worktree, repository.environment)
        # In a user's clone nothing is moved away, not even a damaged file.
        objects = AnnexObjects(git_dir, hash_directory=mixed_directory, bad_directory=None)
        self.clone = repository
        #: A commit of the working tree as it is that takes the place of the branch, if not empty:
        #: results are put into the working tree, and the branch stays.
        self.draft = ""
        #: Patterns of branches that take their own results, beside the default branch.
        self.trusted_branches: Sequence[str] = ()
        self._default_largefiles: str | None = None
        #: Branches to whether they take their own results, found once in a process.
        self._trusts: dict[str, bool] = {}
        job_results = JobResultRefs(name, repository)
        super().__init__(
            name,
            repository,
            Annex(program, objects, CloneStorage(program, objects)),
            open_index=lambda trusted: ResultIndex(
                repository,
                self.branches,
                trusted=trusted,
                proofs=proofs,
                fetched_results=True,
            ),
            job_results=job_results,
            own_keys=OwnKeys(repository, f"{self.branches}git-annex", job_results, lambda: ()),
            subdatasets=subdatasets,
            proofs=proofs,
        )

    def refresh(self) -> None:
        """What the clone has is what counts: the user fetches."""

    def tip(self, branch: str) -> str | None:
        """The tip of a branch; that which is checked out may be replaced by a draft."""
        if self.draft and branch == self.clone.head():
            return self.draft
        return super().tip(branch)

    def publish(self, updates: Sequence[RefUpdate]) -> bool:
        """See :meth:`CloneRepository.move_refs`; with a draft, the branch does not move."""
        if not self.draft:
            return self.clone.move_refs(updates)
        head = f"{self.branches}{self.clone.head()}"
        results = [new for ref, new, _ in updates if ref == head]
        if not self.clone.move_refs([update for update in updates if update[0] != head]):
            return False
        for commit in results:
            put_results(self.clone, self.clone.worktree, self.draft, commit)
            self.draft = commit
        return True

    def results_branch(self, branch: str, output: str = "") -> str:  # noqa: ARG002 - never set here
        """See :meth:`GitDataset.results_branch`: the clone's default branch takes its own results."""
        if self.draft or self.results_place == "branch":
            return branch
        trusted = self._trusts.get(branch)
        if trusted is None:
            trusted = matches_any(branch, self.trusted_branches) or branch == default_branch(
                self.repository, branch
            )
            self._trusts[branch] = trusted
        return results_branch(branch, trusted=trusted, place=self.results_place)

    def results_of_head(self, *, fetched: bool) -> tuple[str, str]:
        """Name and commit of the branch with the results of the checked-out commit; empty without one.

        :param fetched: whether one that was fetched from the forge does, too.
        """
        branch = self.clone.branch()
        if not branch or holds_results(branch) or self.draft:
            return "", ""
        tips = self.tips(branch)
        if tips is None or not tips.is_beside:
            return "", ""
        if tips.has_results:
            return tips.results_branch, tips.planned
        if fetched:
            said = self.repository.git("config", f"branch.{branch}.remote", check=False)
            name = f"{said.decode().strip() or 'origin'}/{tips.results_branch}"
            ref = f"refs/remotes/{name}"
            commit = self.repository.refs(ref).get(ref)
            # Others have pushed it: it need not be readable.
            with contextlib.suppress(OutsideError, Refused):
                if commit is not None and follows(self.objects.commit, commit, tips.pushed):
                    return name, commit
        return "", ""

    def _used_output_branch(self, branch: str, output: str) -> str:  # noqa: ARG002 - see GitDataset
        """None: the server moves that branch when the user pushes."""
        return ""

    def publish_output(self, tips: BranchTips) -> str | None:  # noqa: ARG002 - see GitDataset
        """See :meth:`GitDataset.publish_output`; there is none."""
        return ""

    def _is_ours(self, branch: str, commit: str) -> bool:  # noqa: ARG002 - see ForgeDataset
        """True: only the user moves branches of a clone."""
        return True

    def remove_results(self, branch: str) -> None:
        """Delete the local branch with the results of a branch; never for a draft, which is no commit."""
        ref = f"{self.branches}{RESULTS_PREFIX}{branch}"
        current = self.repository.refs(ref).get(ref)
        if current is not None and not self.draft:
            self.clone.move_refs([(ref, "", current)])

    def default_largefiles(self) -> str:
        """See :meth:`GitDataset.default_largefiles`; read once, because refs of a clone are not cached."""
        if self._default_largefiles is None:
            self._default_largefiles = super().default_largefiles()
        return self._default_largefiles

    def prepared_annex(self) -> Annex:
        """The clone's own annex, with the remotes that its user has enabled."""
        return self.annex


def open_clone(
    start: Path,
    variables: Mapping[str, str],
    proofs: ManifestProofs | None = None,
    path: str = "",
) -> CloneDataset:
    """The dataset that contains *start*.

    :param path: of a subdataset in the dataset that the user works in.
    :param proofs: decides which manifests count; without it signatures are not required.
    :raises NotFound: when there is none.
    """
    folders = find_clone(start, variables)
    worktree = folders.worktree
    repository = CloneRepository(folders, clone_environment(variables, worktree))
    subdatasets = CloneSubdatasets(worktree, variables, path)
    return CloneDataset(worktree.name, repository, subdatasets, proofs)


class CloneSubdatasets:
    """Subdatasets that are installed below a user's clone.

    :param path: of this clone in the dataset that the user works in; empty for that one.
    """

    def __init__(self, worktree: Path, variables: Mapping[str, str], path: str = "") -> None:
        self._worktree = worktree
        self._prefix = f"{path}/" if path else ""
        self._variables = variables
        self._opened: dict[str, CloneDataset] = {}

    def name(self, submodule: Submodule) -> str:
        """Its path: a clone has no names of the forge."""
        return submodule.path

    def dataset(self, submodule: Submodule, commit: str) -> CloneDataset:
        """The subdataset, which has this commit.

        :raises UserError: when it is not installed.
        :raises NotFound: when it does not have the commit.
        """
        path, shown = self._worktree / submodule.path, self._prefix + submodule.path
        if submodule.path not in self._opened:
            if not (path / ".git").exists():
                raise UserError(
                    f"subdataset {shown} is not installed here",
                    hint=f"get it: datalad get -n {shlex.quote(shown)}",
                )
            self._opened[submodule.path] = open_clone(path, self._variables, path=shown)
        clone = self._opened[submodule.path]
        if clone.objects.read(commit) is None:
            raise NotFound(
                f"subdataset {shown} does not have commit {commit[:12]} here",
                hint=f"bring it: git -C {shlex.quote(shown)} fetch",
            )
        return clone

    def tip(self, submodule: Submodule, branch: str) -> str | None:  # noqa: ARG002 - see the port
        """None: subdatasets are not updated in a clone."""
        return None

    def close(self) -> None:
        """End the processes behind it."""
        for clone in self._opened.values():
            clone.close()
