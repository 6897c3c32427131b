"""Subdatasets that are repositories of the same forge.

The bot's account may read more than a person who pushes, whose ``.gitmodules`` could name any repository.
So everybody who may read the dataset must be allowed to read the subdataset: what is computed from it can
be read by them.  A branch that is not trusted reads only repositories that a trusted branch reads.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence

from tea_runner.core.deliveries.registered_webhook import is_repository_name, matches_repository
from tea_runner.core.errors import ForgeError, OutsideError, UserError
from tea_runner.core.git.branch_kinds import is_pull_request_branch
from tea_runner.core.git.submodules import (
    Submodule,
    likely_repositories,
    mirrored_repository,
    parse_gitmodules,
    repository_of,
)
from tea_runner.dataset.forge_dataset import ForgeDataset


class ForgeSubdatasets:
    """Opens the subdatasets of a dataset; no address outside the forge is ever contacted."""

    def __init__(
        self,
        own: str,
        base: str,
        open_repository: Callable[[str], ForgeDataset],
        *,
        allowed: Sequence[str] = (),
        lacking: Callable[[str], str] = lambda _: "",
        addresses: Mapping[str, str] | None = None,
        trusted_gitmodules: Callable[[], Iterable[Sequence[bytes]]] | None = None,
    ) -> None:
        """Make them.

        :param own: ``owner/name`` of the dataset.
        :param base: URL of the forge.
        :param allowed: patterns of repositories of other owners that may be read.
        :param lacking: readers of the dataset who may not read a repository, in words; empty when all
            may.  :class:`OutsideError` when the forge does not say it.
        :param addresses: see :func:`~tea_runner.core.git.submodules.mirrored_repository`.
        :param trusted_gitmodules: for branches that are not trusted, ``.gitmodules`` and
            ``.datalad/config`` of the trusted branches.
        """
        self._allowed = tuple(allowed)
        self._own = own
        self._base = base.rstrip("/")
        self._open = open_repository
        self._lacking = lacking
        self._addresses = addresses or {}
        self._trusted_gitmodules = trusted_gitmodules
        self._opened: dict[str, ForgeDataset] = {}
        #: Repositories that were found to have the pinned commits.
        self._chosen: dict[Submodule, str] = {}

    def restricted(
        self, trusted_gitmodules: Callable[[], Iterable[Sequence[bytes]]]
    ) -> ForgeSubdatasets:
        """The same for branches that are not trusted, at any depth."""
        return ForgeSubdatasets(
            self._own,
            self._base,
            self._open,
            allowed=self._allowed,
            lacking=self._lacking,
            addresses=self._addresses,
            trusted_gitmodules=trusted_gitmodules,
        )

    def name(self, submodule: Submodule) -> str:
        """``owner/name`` of the repository.

        :raises UserError: when it is not a repository of this forge, or may not be read.
        :raises OutsideError: when the forge does not say who may read it.
        """
        if submodule in self._chosen:
            self._check(submodule, self._chosen[submodule])
            return self._chosen[submodule]
        return self._names(submodule)[0]

    def _names(self, submodule: Submodule) -> list[str]:
        """Names of the repositories where it may be: those that its addresses name, else likely ones.

        :raises UserError: when there is none, or none of them may be read.
        :raises OutsideError: when the forge does not say who may read it.
        """
        named = self._named(submodule)
        likely = filter(is_repository_name, likely_repositories(submodule, self._own))
        found, refusal = [], None
        for name in named or likely:
            try:
                self._check(submodule, name)
            except UserError as error:
                refusal = refusal or error
            except ForgeError as error:
                if len(named) == 1 or error.response_status != 404:
                    raise
            else:
                found.append(name)
        if found:
            return found
        if refusal is not None:
            raise refusal
        last = posixpath.basename(submodule.path)
        raise UserError(
            f"subdataset {submodule.path} is at {submodule.shown_url}, which is not a "
            f"repository of {self._base}",
            hint=f"push it there, and write into .gitmodules: url = ../{last}.git",
        )

    def _named(self, submodule: Submodule) -> list[str]:
        """The repositories that its addresses name, by themselves or by the operator's rules."""
        found = (
            mirrored_repository(url, self._addresses) or repository_of(url, self._base, self._own)
            for url in submodule.urls
        )
        return list(dict.fromkeys(filter(None, found)))

    def _check(self, submodule: Submodule, found: str) -> None:
        """Check that a repository may be read.

        :raises UserError: when it may not.
        :raises OutsideError: when the forge does not say who may read it.
        """
        same = found.partition("/")[0] == self._own.partition("/")[0]
        if not same and not any(matches_repository(pattern, found) for pattern in self._allowed):
            raise UserError(
                f"subdataset {submodule.path} is {found}, of another owner",
                hint="the operator can allow it under repositories in the settings",
            )
        if self._trusted_gitmodules is not None and found not in self._trusted_names():
            raise UserError(
                f"subdataset {submodule.path} is {found}, which no trusted branch of "
                f"{self._own} has as a subdataset",
                hint="add it on a trusted branch first",
            )
        lacking = self._lacking(found)
        if lacking:
            raise UserError(
                f"subdataset {submodule.path} is {found}, which not everybody who may read "
                f"{self._own} may read ({lacking})",
                hint=f"give them access on the forge, or keep {self._own} from them",
            )

    def _trusted_names(self) -> set[str]:
        """Repositories that the trusted branches have as subdatasets."""
        files = self._trusted_gitmodules() if self._trusted_gitmodules is not None else ()
        names: set[str] = set()
        for data in files:
            for each in parse_gitmodules(*data).values():
                names.update(self._named(each) or likely_repositories(each, self._own))
        return names

    def _repository(self, name: str) -> ForgeDataset:
        """A repository that may be read.

        :raises OutsideError: when it does not answer.
        """
        if name not in self._opened:
            opened = self._open(name)
            opened.mirror.ensure()
            if self._trusted_gitmodules is not None:
                opened.subdatasets = opened.untrusted_subdatasets
            self._opened[name] = opened
        return self._opened[name]

    def dataset(self, submodule: Submodule, commit: str) -> ForgeDataset:
        """The subdataset, with this commit fetched.

        :raises UserError: see :meth:`name`.
        :raises OutsideError: when its repository does not have the commit.
        """
        names = [self.name(submodule)] if submodule in self._chosen else self._names(submodule)
        unanswered = None
        for name in names:
            try:
                repository = self._repository(name)
                if repository.objects.read(commit) is None:
                    repository.refresh()
            except OutsideError as error:
                unanswered = unanswered or error
                continue
            if repository.objects.read(commit) is not None:
                self._chosen[submodule] = name
                return repository
        if unanswered is not None:
            raise unanswered
        raise OutsideError(
            f"subdataset {submodule.path} is pinned at {commit[:12]}, which "
            f"{' and '.join(names)} {'do' if names[1:] else 'does'} not have",
            hint="push it there",
        )

    def tip(self, submodule: Submodule, branch: str) -> str | None:
        """The tip of its branch: that in ``.gitmodules``, *branch*, main or master.

        A branch of a pull request is never followed.
        """
        repository = self._repository(self.name(submodule))
        repository.refresh()
        for name in dict.fromkeys((submodule.branch, branch, "main", "master")):
            followed = name and not is_pull_request_branch(name)
            found = repository.tip(name) if followed else None
            if found:
                return found
        return None

    def close(self) -> None:
        """End the processes behind it."""
        for repository in self._opened.values():
            repository.close()
