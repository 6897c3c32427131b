"""Protocols of git objects: those of a repository, and new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from tea_runner.core.git.tree import TreeEntry


class Objects(Protocol):
    """The objects of one git repository, read by id.

    Large blobs may be absent, as in a partial clone.
    """

    def tree(self, oid: str) -> Mapping[str, TreeEntry]:
        """The entries of a tree, in git's order.

        :raises OutsideError: when the repository does not have it.
        """
        ...

    def read_trees(self, oids: Iterable[str]) -> None:
        """Read many trees in one request, before :meth:`tree` returns them one by one.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def blob(self, oid: str) -> bytes | None:
        """A blob's content; None when it is absent.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def blobs(self, oids: Iterable[str]) -> Mapping[str, bytes | None]:
        """As :meth:`blob`, for many at once.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def small_blobs(self, oids: Iterable[str]) -> Mapping[str, bytes | None]:
        """As :meth:`blobs`, but larger ones than pointers and pipeline files count as absent.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def prefetch_blobs(self, oids: Iterable[str]) -> None:
        """Begin to read blobs in the background, before :meth:`small_blobs` returns them.

        :raises OutsideError: when git ends with an error.
        """
        ...

    def fetch_blobs(self, oids: Iterable[str]) -> None:
        """Fetch absent blobs of any size.

        :raises OutsideError: when the remote does not have them or does not answer.
        """
        ...

    def commit(self, oid: str) -> CommitFacts:
        """A commit's parts.

        :raises OutsideError: when the repository does not have it.
        :raises Refused: when it is too large.
        """
        ...


class CommitFacts(Protocol):
    """A parsed commit object."""

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
    """New git objects in memory: ids are returned at once, git receives all in one flush."""

    #: Id to entries of each tree that was added.
    trees: dict[str, Mapping[str, TreeEntry]]

    def add(self, kind: str, data: bytes) -> str:
        """Add an object and return its id; *kind* is git's type, such as ``blob``."""
        ...

    def tree(self, entries: Mapping[str, TreeEntry]) -> str:
        """Add a tree and return its id."""
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
        """Add a commit and return its id.

        :param who: author and committer, ``Name <address>``.
        :param seconds: both dates, since 1970, in UTC.
        :param signed: whether to sign it, where a key is configured.
        :raises OutsideError: when it cannot be signed.
        """
        ...

    def flush(self) -> int:
        """Write all added objects into the repository; returns their number.

        :raises OutsideError: when git ends with an error.
        """
        ...
