"""Results of jobs that no results commit holds yet: ``results.json`` in the commits of ``refs/tea/…``."""

from __future__ import annotations

import logging

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.core.git.branch_results_scope import results_prefix
from tea_runner.core.git.result_hmac import seal_result, verify_result_seal
from tea_runner.core.results.result import Result, ResultError, parse_results
from tea_runner.core.results.run_record import parse_trailers
from tea_runner.dataset.git_repository import GitRepository

log = logging.getLogger(__name__)

#: File with the results in the tree of a job's commit.
RESULTS = "results.json"
#: Trailer of its message: a message authentication code of the workers.
_SEAL_TRAILER = "Tea-Seal"


class JobResultRefs:
    """Reads the results that jobs of one dataset have published.

    :param name: the dataset's name, for the seal and for log messages.
    :param secret: key of the workers' seal.  Without it, as in a user's clone, every result counts.
    """

    def __init__(self, name: str, repository: GitRepository, secret: bytes = b"") -> None:
        self._name = name
        self._repository = repository
        self._secret = secret
        #: A job's ref and commit to its results.
        self._read: dict[tuple[str, str], tuple[Result, ...]] = {}

    def by_key(self, scope: str) -> dict[str, tuple[str, Result]]:
        """Key to (ref, result) of the results that a scope may use.

        The scope's own results come before trusted ones.  When two jobs of a scope have computed a key,
        the ref that sorts first counts, for every reader; but a requested recomputation (its result has
        a salt) comes before all others, the latest first.
        """
        chosen: dict[str, tuple[str, Result]] = {}
        refs = self._repository.refs("refs/tea/")
        self._evict_deleted(refs)
        for prefix in dict.fromkeys((results_prefix(scope), results_prefix(""))):
            in_scope: dict[str, tuple[str, Result]] = {}
            for ref, oid in sorted(refs.items()):
                if ref.startswith(prefix):
                    for result in self.at(ref, oid):
                        key = result.key
                        if key not in in_scope or result.salt > in_scope[key][1].salt:
                            in_scope[key] = (ref, result)
            chosen.update((key, each) for key, each in in_scope.items() if key not in chosen)
        return chosen

    def _evict_deleted(self, refs: dict[str, str]) -> None:
        current = set(refs.items())
        for read in list(self._read):
            if read not in current:
                del self._read[read]

    def at(self, ref: str, oid: str) -> tuple[Result, ...]:
        """The results in a job's commit; none when it is malformed or not sealed by a worker."""
        if (ref, oid) not in self._read:
            try:
                self._read[ref, oid] = self._parse(ref, oid)
            except (OutsideError, Refused) as error:
                # Everyone who may push can push anything to these refs.
                log.warning(
                    "%s holds no result: %s", ref, error.message, extra={"repository": self._name}
                )
                self._read[ref, oid] = ()
        return self._read[ref, oid]

    def _parse(self, ref: str, oid: str) -> tuple[Result, ...]:
        objects = self._repository.objects
        commit = objects.commit(oid)
        entry = objects.tree(commit.tree).get(RESULTS)
        data = objects.blob(entry.oid) if entry else None
        if data is None and entry is not None:
            # Larger than the blobs that the mirror holds; git fetches this one.
            data = self._repository.read_blob(entry.oid, why="reading results")
        seal = parse_trailers(commit.message).get(_SEAL_TRAILER, "")
        if self._secret and not verify_result_seal(
            self._secret, self._name, ref, data or b"", seal
        ):
            log.warning(
                "%s is not signed by us; it is ignored", ref, extra={"repository": self._name}
            )
            return ()
        try:
            return parse_results(data or b"")
        except ResultError:
            return ()

    def message(self, ref: str, title: str, data: bytes) -> str:
        """Message of the commit that holds results, with the seal if there is a secret."""
        if not self._secret:
            return f"{title}\n"
        return f"{title}\n\n{_SEAL_TRAILER}: {seal_result(self._secret, self._name, ref, data)}\n"
