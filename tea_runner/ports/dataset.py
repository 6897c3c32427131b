"""Protocols of git and git-annex: subdatasets, and a dataset with its known results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tea_runner.core.git.submodules import Submodule
from tea_runner.core.planning.recorded_ticks import TickBook
from tea_runner.core.results.result import Result
from tea_runner.core.results.results_branch import BranchTips
from tea_runner.core.results.signed_manifest_row import Accepts, SignedResult, accept_all
from tea_runner.ports.git_objects import Objects, TreeStore

#: (ref, new id or "" to delete, expected id or None for "must not exist").
RefUpdate = tuple[str, str, str | None]


class Subdataset(Protocol):
    """A subdataset that can be read and fetched from."""

    subdatasets: Subdatasets | None

    @property
    def objects(self) -> Objects:
        """Git objects by id."""
        ...


class Subdatasets(Protocol):
    """The repositories of a dataset's subdatasets."""

    def name(self, submodule: Submodule) -> str:
        """The full name of the subdataset's repository.

        :raises UserError: when it may not be used.
        :raises OutsideError: when the forge does not say whether it may.
        """
        ...

    def dataset(self, submodule: Submodule, commit: str) -> Subdataset:
        """The subdataset, with this commit fetched.

        :raises UserError: when it may not be used, or is not available here.
        :raises OutsideError: when its repository does not answer or lacks the commit.
        """
        ...

    def tip(self, submodule: Submodule, branch: str) -> str | None:
        """The tip of the subdataset's own branch; None without one, or where pins are not moved.

        :raises UserError: when it may not be used.
        :raises OutsideError: when its repository does not answer.
        """
        ...

    def close(self) -> None:
        """End the processes behind it; raises nothing."""
        ...


class Dataset(Protocol):
    """A dataset, on a forge or in a clone: its tips, its objects, its known results.

    A *scope* is the trusted one (the empty text) or that of one branch.  A method with a scope
    returns only results that this scope may use.
    """

    #: ``owner/name``, or the path of a clone.
    name: str
    subdatasets: Subdatasets | None
    #: Whether it is a person's clone, which need not have all content itself.
    is_clone: bool

    @property
    def objects(self) -> Objects:
        """Git objects by id."""
        ...

    def refresh(self) -> None:
        """Fetch what is new on the forge.

        :raises OutsideError: when it does not answer.
        """
        ...

    def tip(self, branch: str) -> str | None:
        """The commit at a branch's tip, as of the last refresh; None when there is no such branch.

        :raises Refused: when the branch is that of a pull request, and its commit was not approved.
        :raises OutsideError: when git ends with an error.
        """
        ...

    def tips(self, branch: str, output: str = "") -> BranchTips | None:
        """The tips of a branch and of the branch with its results, as of the last refresh.

        None when there is no such branch.

        :param output: the branch that its pipelines name for their results; empty for none.
        :raises Refused: see :meth:`tip`.
        :raises OutsideError: when git ends with an error, or the forge does not say whether the branch
            is trusted.
        """
        ...

    def publish_output(self, tips: BranchTips) -> str | None:
        """Move the branch of whole results (``tips.output``) to the planned commit.

        It is made, or moved if it is where it was put for this very branch; one of somebody else stays.

        :returns: empty when it is there; why it stays as it is, with what to do; None when a branch moved
            meanwhile, so that the branch has to be planned again.
        :raises OutsideError: when the forge could not be reached or declined.
        """
        ...

    def remove_results(self, branch: str) -> None:
        """Delete the branch with the results of another, which is gone or needs none beside it.

        Its rows stay known where they may count.  A branch that the forge does not delete stays without
        harm.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def tick_book(self, branch: str) -> TickBook:
        """The ticks of the schedules of a branch, as of the last refresh.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def record_ticks(self, branch: str, book: TickBook, discarded: Sequence[str] = ()) -> bool:
        """Put a book that was read and changed into git, before anything runs for it.

        :param discarded: refs of jobs whose results are not needed; they are deleted in the same step.
        :returns: False when the book has changed since it was read, so that nothing was done.
        :raises OutsideError: when the forge could not be reached or declined.
        """
        ...

    def remove_ticks(self, branch: str) -> None:
        """Delete the ticks of a branch that is gone; what the forge does not delete stays without harm.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def annex_tip(self) -> str | None:
        """The tip of the ``git-annex`` branch, as of the last refresh.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def default_largefiles(self) -> str:
        """``annex.largefiles`` of ``git annex config``, for paths without that attribute; or empty.

        ``nothing`` in a repository without git-annex.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def storages(self) -> str:
        """Digest of the storages that the dataset describes; empty when it describes none."""
        ...

    def scope(self, branch: str) -> str:
        """The scope of a branch: the empty text when it is trusted.

        :raises OutsideError: when the forge does not say whether it is.
        """
        ...

    def subdatasets_of(self, scope: str) -> Subdatasets | None:
        """The subdatasets that a branch of this scope may read; raises nothing."""
        ...

    def unsettled_results(self, scope: str = "") -> Mapping[str, tuple[str, Result]]:
        """Key to (ref, result) of what jobs have finished and no results commit holds yet.

        A ref without valid results is left out.

        :raises OutsideError: when git ends with an error.
        """
        ...

    #: Whether results of a directory must have names that are distinct on every system.
    distinct_names: bool

    @property
    def requires_signatures(self) -> bool:
        """Whether only rows that a trusted signature covers are known results."""
        ...

    def sign_results(self, statement: bytes) -> bytes:
        """The signature of a statement about a manifest; empty where nothing is signed.

        :raises SettingsError: when the key cannot be used.
        """
        ...

    def signer_of(self, statement: bytes, signature: bytes) -> str:
        """Name of the trusted signer of a statement; empty when the signature does not hold.

        :raises OutsideError: when the signature cannot be checked here.
        """
        ...

    def signed_results(
        self, keys: Sequence[str], scope: str = ""
    ) -> Mapping[str, Sequence[SignedResult]]:
        """Results of the keys in signed manifests of all branches, the preferred one first.

        Trusted ones come first, then those of the scope, then those of other branches.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def known_results(
        self, keys: Sequence[str], scope: str = "", accepts: Accepts = accept_all
    ) -> Mapping[str, Result]:
        """Keys to the first known result that counts, without those that are not complete any more.

        Asked for some hundreds at once, git's attributes are read together.

        :raises OutsideError: when git, a storage or another repository does not answer.
        """
        ...

    def content_locations(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Those of the annex keys whose content is in a storage, with the storage's uuid.

        :raises OutsideError: when git-annex ends with an error.
        """
        ...

    def converted_result(self, result: Result, root: str, directory: str) -> Result | None:
        """The result in the form that ``.gitattributes`` of a tree asks for in a directory.

        None when that needs content that is too large or in no storage.

        :raises OutsideError: when git or git-annex ends with an error.
        """
        ...

    @property
    def trusted_repositories(self) -> Sequence[str]:
        """Names of other repositories whose results count here as well."""
        ...

    def known_in_other_repositories(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Those of the keys that a trusted repository has results for, with ``owner/name@commit``.

        :meth:`known_result` returns these results from then on.  A repository that does not answer is
        left out.

        :raises OutsideError: when git ends with an error in this dataset.
        """
        ...

    def storage_uuid(self) -> str:
        """The uuid of the storage that receives new annexed content.

        :raises OutsideError: when no storage is configured or none can be used.
        """
        ...

    def writer(self) -> TreeStore:
        """A new, empty collector of git objects."""
        ...

    def delete_job_refs(self, refs: Sequence[str]) -> None:
        """Delete refs of jobs whose results are settled.

        A ref that the forge does not delete stays without harm.

        :raises OutsideError: when local refs cannot be read.
        """
        ...

    def publish(self, updates: Sequence[RefUpdate]) -> bool:
        """Move all refs or none, each only from the expected id (compare-and-swap).

        :returns: False when a ref had another id than expected.
        :raises OutsideError: when the forge could not be reached or declined.
        """
        ...
