"""Which annex keys are a repository's own, so that their content may be fetched for it.

A storage may hold the content of other repositories as well, and whoever may push can name any key in a
tree.  The ``git-annex`` branch of the repository must know the key, too.  That is no proof: who may push
can write there.  See decision 0015 for what is guaranteed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tea_runner.core.git.annex_paths import log_path
from tea_runner.core.git.tree import lookup
from tea_runner.core.results.result import Result
from tea_runner.dataset.git_repository import GitRepository
from tea_runner.dataset.job_result_refs import JobResultRefs
from tea_runner.dataset.shared_results import SharedResult


class OwnKeys:
    """The own keys of one repository.

    :param annex_ref: the ref that is its ``git-annex`` branch.
    :param storages: names of its storages.
    """

    def __init__(
        self,
        repository: GitRepository,
        annex_ref: str,
        job_results: JobResultRefs,
        storages: Callable[[], Sequence[str]],
    ) -> None:
        self._repository = repository
        self._annex_ref = annex_ref
        self._job_results = job_results
        self._storages = storages
        #: Scopes whose unsettled results were read.
        self.scopes: set[str] = set()
        #: Results of other repositories that everybody who may read this one may read.
        self.shared: dict[str, SharedResult] = {}

    def among(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that have a location log, or that results of our workers or shared ones name.

        Costs two trees of the ``git-annex`` branch for each key.
        """
        if set(self._storages()) == {"origin"}:
            # The forge keeps the content of each repository apart.
            return set(keys)
        objects = self._repository.objects
        tip = self._repository.refs(self._annex_ref).get(self._annex_ref)
        root = objects.commit(tip).tree if tip is not None else None
        own = {key for key in keys if root and lookup(objects.tree, root, log_path(key))}
        if len(own) < len(set(keys)):
            wanted = set(keys) - own
            own |= {
                output.name
                for result in self._results()
                for output in result.outputs
                if output.kind == "annex" and output.name in wanted
            }
        return own

    def _results(self) -> Iterator[Result]:
        """Results whose content no ``git-annex`` branch here need have a log of yet."""
        for scope in self.scopes:
            yield from (result for _, result in self._job_results.by_key(scope).values())
        yield from (each.result for each in self.shared.values())
