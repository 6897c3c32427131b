"""Ticks of the schedules of each branch, sealed with the key of planners: the refs ``refs/tea/ticks/SCOPE``.

Whoever may push can move any ref of the forge.  A book without a valid seal counts as none: then the newest
tick that results have, or the present, is where a schedule goes on.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.core.git.result_hmac import seal_result, verify_result_seal
from tea_runner.core.git.tree import PLAIN, TreeEntry
from tea_runner.core.planning.recorded_ticks import TickBook, parse_book
from tea_runner.core.results.run_record import parse_trailers
from tea_runner.dataset.git_repository import GitRepository

log = logging.getLogger(__name__)

TICKS = "refs/tea/ticks/"
_FILE = "ticks.json"
_SEAL = "Tea-Seal"
_WHO = "tea-runner <tea-runner@localhost>"


class TickRefs:
    """The books of one dataset.

    :param name: ``owner/name`` of the repository; a seal is for it alone.
    :param secret: key of the seal.  Without it, as in a user's clone, every book counts.
    """

    def __init__(self, name: str, repository: GitRepository, secret: bytes = b"") -> None:
        self._name = name
        self._repository = repository
        self._secret = secret

    def read(self, branch: str) -> TickBook:
        """The book of a branch, as of the last fetch; an empty one without a valid one.

        :raises OutsideError: when git ends with an error.
        """
        ref = tick_ref(branch)
        oid = self._repository.refs(ref).get(ref)
        if oid is None:
            return TickBook()
        try:
            return replace(self._parse(ref, oid), at=oid)
        except (OutsideError, Refused, ValueError) as error:
            log.warning("%s holds no ticks: %s", ref, error, extra={"repository": self._name})
            return TickBook(at=oid)

    def _parse(self, ref: str, oid: str) -> TickBook:
        objects = self._repository.objects
        commit = objects.commit(oid)
        entry = objects.tree(commit.tree).get(_FILE)
        data = objects.blob(entry.oid) if entry else None
        if data is None and entry is not None:
            # Larger than the blobs that the mirror holds; git fetches this one.
            data = self._repository.read_blob(entry.oid, why="reading ticks")
        data = data or b""
        seal = parse_trailers(commit.message).get(_SEAL, "")
        if self._secret and not verify_result_seal(self._secret, self._name, ref, data, seal):
            raise ValueError("it is not sealed by us")
        return parse_book(data)

    def write(self, branch: str, book: TickBook) -> tuple[str, str, str | None]:
        """The update that puts the book into the branch's ref, from what it was read from."""
        ref, data = tick_ref(branch), book.to_text().encode()
        writer = self._repository.writer()
        tree = writer.tree({_FILE: TreeEntry(PLAIN, writer.add("blob", data))})
        message = "tea-runner: ticks of the schedules of a branch\n"
        if self._secret:
            seal = seal_result(self._secret, self._name, ref, data)
            message += f"\n{_SEAL}: {seal}\n"
        made = writer.commit(tree, [], message, who=_WHO, seconds=0)
        writer.flush()
        return ref, made, book.at


def tick_ref(branch: str) -> str:
    """The ref of a branch's book."""
    return TICKS + scope_of(branch, ())
