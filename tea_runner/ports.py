"""What the steps of the way ask of the world, each with its contract about errors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol

from tea_runner.core.git.submodules import Submodule
from tea_runner.core.git.tree import TreeEntry
from tea_runner.core.hook import ForgeHook
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.core.results.result import Result


class PlanRequests(Protocol):
    """Where a push is announced: many announcements of one ref are one request."""

    def request_plan(self, repository: str, ref: str, *, why: str) -> None:
        """Ask that the tip of *ref* (``refs/heads/…``) of *repository* (``owner/name``) be planned.

        Returns within a second.

        :raises QueueError: when the request could not be kept.
        """
        ...


class Objects(Protocol):
    """The objects of one git repository, read by id."""

    def tree(self, oid: str) -> Mapping[str, TreeEntry]:
        """The entries of a tree, in git's order.

        :raises OutsideError: when it is not there.
        """
        ...

    def read_trees(self, oids: Iterable[str]) -> None:
        """Read trees in one go, of which :meth:`tree` will be asked next."""
        ...

    def blob(self, oid: str) -> bytes | None:
        """A blob's content; None when it is not at hand, which larger ones need not be."""
        ...

    def blobs(self, oids: Iterable[str]) -> Mapping[str, bytes | None]:
        """As :meth:`blob`, for many at once."""
        ...

    def prefetch_blobs(self, oids: Iterable[str]) -> None:
        """Begin to look for what :meth:`blobs` will be asked next."""
        ...

    def fetch_blobs(self, oids: Iterable[str]) -> None:
        """Have blobs at hand that are wanted for themselves, whatever their size.

        :raises OutsideError: when they are not to be had.
        """
        ...

    def commit(self, oid: str) -> CommitFacts:
        """A commit's parts.

        :raises OutsideError: when it is not there.
        """
        ...


class CommitFacts(Protocol):
    """What the steps want to know of a commit."""

    oid: str
    message: str

    @property
    def tree(self) -> str:
        """Id of its tree."""
        ...

    @property
    def parents(self) -> Sequence[str]:
        """Ids of its parents."""
        ...

    @property
    def committed(self) -> int:
        """The committer's time, seconds since 1970."""
        ...


class TreeStore(Protocol):
    """Collects new git objects; their ids are known at once, git gets them with one flush."""

    trees: dict[str, Mapping[str, TreeEntry]]

    def add(self, kind: str, data: bytes) -> str:
        """Keep an object and return its id."""
        ...

    def tree(self, entries: Mapping[str, TreeEntry]) -> str:
        """Keep a tree and return its id."""
        ...

    def commit(
        self,
        tree: str,
        parents: Iterable[str],
        message: str,
        *,
        who: str,
        seconds: int,
        signed: bool = False,
    ) -> str:
        """Keep a commit, signed where there is a key to sign with, and return its id."""
        ...

    def flush(self) -> int:
        """Give everything to git."""
        ...


class Subdataset(Protocol):
    """A subdataset that can be read and fetched from."""

    subdatasets: Subdatasets | None

    @property
    def objects(self) -> Objects:
        """Git objects by id."""
        ...


class Subdatasets(Protocol):
    """Where a dataset's subdatasets are."""

    def name(self, submodule: Submodule) -> str:
        """How the subdataset's repository is called.

        :raises UserError: when it may not be used.
        """
        ...

    def dataset(self, submodule: Submodule, commit: str) -> Subdataset:
        """The subdataset with this commit at hand.

        :raises UserError: when it cannot be had here.
        :raises OutsideError: when its repository does not answer or lacks the commit.
        """
        ...

    def tip(self, submodule: Submodule, branch: str) -> str | None:
        """Where the subdataset's own branch is now; None where pins are not moved."""
        ...

    def close(self) -> None:
        """End the processes behind it."""
        ...


class Dataset(Protocol):
    """A dataset, on a forge or in a clone: its tips, its objects, its results."""

    name: str
    subdatasets: Subdatasets | None
    #: Whether it is a person's clone, which need not have all content itself.
    is_clone: bool

    @property
    def objects(self) -> Objects:
        """Git objects by id."""
        ...

    def refresh(self) -> None:
        """Learn what the forge has now.

        :raises OutsideError: when it does not answer.
        """
        ...

    def tip(self, branch: str) -> str | None:
        """The commit at a branch's end, None when there is no such branch."""
        ...

    def annex_tip(self) -> str | None:
        """The tip of the ``git-annex`` branch."""
        ...

    def scope(self, branch: str) -> str:
        """The scope of a branch: the empty text when it is trusted."""
        ...

    def unsettled_results(self, scope: str = "") -> Mapping[str, tuple[str, Result]]:
        """Key to (ref, result) of what jobs have finished and no results commit holds yet.

        Only of what this scope may use, as everything below that takes a scope.
        """
        ...

    def known_commits(self, keys: Sequence[str], scope: str = "") -> Mapping[str, str]:
        """Which of these keys some manifest knows, with the commit that holds the result."""
        ...

    def known_result(self, key: str, scope: str = "") -> Result | None:
        """That result; None when it is not whole any more."""
        ...

    def content_locations(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Which of these annex keys have their content, and in which storage (its uuid)."""
        ...

    def converted_result(self, result: Result, root: str, directory: str) -> Result | None:
        """The result as the attributes of a tree want it saved in a directory.

        None when that takes content that is too large, or not to be had.
        """
        ...

    @property
    def trusted_repositories(self) -> Sequence[str]:
        """Other repositories whose results count here as well."""
        ...

    def known_in_other_repositories(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Which of these keys those have results for, with ``owner/name@commit``.

        :meth:`known_result` gives them then.
        """
        ...

    def storage_uuid(self) -> str:
        """Where new annexed content goes.

        :raises OutsideError: when there is no such place.
        """
        ...

    def writer(self) -> TreeStore:
        """Collects the objects of a commit."""
        ...

    def delete_job_refs(self, refs: Sequence[str]) -> None:
        """Delete refs of jobs whose results are settled; what cannot be deleted stays, unharmed."""
        ...

    def publish(self, updates: Sequence[tuple[str, str, str | None]]) -> bool:
        """Move refs all or none, each only from the expected value; False when one had another.

        :param updates: (ref, new id or "" to delete, expected id or None for "must not exist").
        :raises OutsideError: when the forge could not be reached or declined.
        """
        ...


#: ((commit, tip of ``git-annex``), sentence): at what time content was found to be nowhere.
Missed = tuple[tuple[str, str], str]


class RecomputeRequests(Protocol):
    """What people want of one branch beyond what its commits say, and what came of it."""

    def pending(self) -> Mapping[str, str]:
        """What to compute although it is known: a key or a pipeline's name to the wish's own name."""
        ...

    def complete(self, words: Iterable[str]) -> None:
        """These are done."""
        ...

    def record_verdicts(self, salt: str, verdicts: Sequence[RecomputeVerdict]) -> None:
        """Remember what came of it; the same wish is counted once."""
        ...

    def cancel_jobs_except(self, jobs: Collection[str]) -> None:
        """The branch waits for these jobs alone: others that nobody wants are not begun."""
        ...

    def exclusive(self) -> AbstractContextManager[object]:
        """Nobody else asks for jobs meanwhile: one key is not begun in two repositories at once."""
        ...


class JobQueue(Protocol):
    """Who is at what."""

    def in_flight(self, repository: str, keys: Sequence[str]) -> Mapping[str, str]:
        """Which keys some job is computing or will compute, with the job's id."""
        ...

    def failures(self, repository: str, keys: Sequence[str]) -> Mapping[str, str]:
        """Which keys failed for good, with the sentence that says how."""
        ...

    def missing(self, repository: str, keys: Sequence[str]) -> Mapping[str, Missed]:
        """Which keys had inputs without content, and when."""
        ...

    def enqueue(self, job: Job) -> bool:
        """Ask for a job; returns whether it was new."""
        ...

    def subscribe(self, repository: str, branch: str, job_id: str) -> None:
        """Have the branch planned again when that job has ended."""
        ...


StatusState = Literal["pending", "success", "error", "failure", "warning"]


class Forge(Protocol):
    """Where datasets live: what we ask of it besides git.

    Every method raises ForgeError, with the forge's own sentence, when it declines or is silent.
    """

    def remote_url(self, repository: str) -> str:
        """Where git finds ``owner/name``; never with a name or password in it."""
        ...

    def repositories(self, patterns: Sequence[str]) -> Sequence[str]:
        """The full names that the patterns (``owner/name``, ``owner/*``, ``*/*``) name, sorted."""
        ...

    def repository_id(self, repository: str) -> int | None:
        """The forge's number of a repository, None where it has no numbers."""
        ...

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branch names (without ``refs/heads/``) and their tips."""
        ...

    def refs(self, repository: str, *prefixes: str) -> Mapping[str, str] | None:
        """Refs below the prefixes with their ids, in one request; None when git has to ask itself."""
        ...

    def set_status(
        self,
        repository: str,
        commit: str,
        state: StatusState,
        *,
        description: str,
        context: str,
        target_url: str = "",
    ) -> None:
        """Say beside a commit how it stands; each call adds a row, so only call on change."""
        ...

    def statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """Context to the latest (state, description) of a commit."""
        ...

    def add_hook(self, repository: str, *, url: str, secret: str) -> str:
        """Have pushes delivered to *url*; returns the forge's own name of the hook."""
        ...

    def hooks(self, repository: str) -> Sequence[ForgeHook]:
        """The hooks of a repository."""
        ...

    def test_hook(self, repository: str, hook: str) -> None:
        """Ask for a delivery of nothing, to see it arrive."""
        ...

    def remove_hook(self, repository: str, hook: str) -> None:
        """Take a hook away; one that is not there is no error."""
        ...

    def check(self) -> Sequence[str]:
        """What is wrong, one sentence each with the next step; raises nothing."""
        ...
