"""Subdatasets that are repositories of the same forge.

The bot's account may read more than a person who pushes, whose ``.gitmodules`` could name any repository.
So everybody who may read the dataset must be allowed to read the subdataset: what is computed from it can
be read by them.  A branch that is not trusted reads only repositories that a trusted branch reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tea_runner.core.errors import OutsideError, UserError
from tea_runner.core.git.branch_kinds import is_pull_request_branch
from tea_runner.core.git.submodules import Submodule, parse_gitmodules, repository_of
from tea_runner.core.webhook_registration import matches_repository
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
        trusted_gitmodules: Callable[[], Iterable[bytes]] | None = None,
    ) -> None:
        """Make them.

        :param own: ``owner/name`` of the dataset.
        :param base: URL of the forge.
        :param allowed: patterns of repositories of other owners that may be read.
        :param lacking: readers of the dataset who may not read a repository, in words; empty when all
            may.  :class:`OutsideError` when the forge does not say it.
        :param trusted_gitmodules: for branches that are not trusted, the ``.gitmodules`` of the trusted
            branches.
        """
        self._allowed = tuple(allowed)
        self._own = own
        self._base = base.rstrip("/")
        self._open = open_repository
        self._lacking = lacking
        self._trusted_gitmodules = trusted_gitmodules
        self._opened: dict[str, ForgeDataset] = {}

    def restricted(self, trusted_gitmodules: Callable[[], Iterable[bytes]]) -> ForgeSubdatasets:
        """The same for branches that are not trusted, at any depth."""
        return ForgeSubdatasets(
            self._own,
            self._base,
            self._open,
            allowed=self._allowed,
            lacking=self._lacking,
            trusted_gitmodules=trusted_gitmodules,
        )

    def name(self, submodule: Submodule) -> str:
        """``owner/name`` of the repository.

        :raises UserError: when it is not a repository of this forge, or may not be read.
        :raises OutsideError: when the forge does not say who may read it.
        """
        found = repository_of(submodule.url, self._base, self._own)
        if found is None:
            raise UserError(
                f"subdataset {submodule.path} is at {submodule.url}, which is not a "
                f"repository of {self._base}",
                hint="push it there and set its url in .gitmodules to ../NAME.git",
            )
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
        return found

    def _trusted_names(self) -> set[str | None]:
        """Repositories that the trusted branches have as subdatasets."""
        files = self._trusted_gitmodules() if self._trusted_gitmodules is not None else ()
        return {
            repository_of(each.url, self._base, self._own)
            for data in files
            for each in parse_gitmodules(data).values()
        }

    def _repository(self, submodule: Submodule) -> ForgeDataset:
        name = self.name(submodule)
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
        repository = self._repository(submodule)
        if repository.objects.read(commit) is None:
            repository.refresh()
            if repository.objects.read(commit) is None:
                raise OutsideError(
                    f"subdataset {submodule.path} is pinned at {commit[:12]}, which "
                    f"{self.name(submodule)} does not have",
                    hint="push it there",
                )
        return repository

    def tip(self, submodule: Submodule, branch: str) -> str | None:
        """The tip of its branch: that in ``.gitmodules``, *branch*, main or master.

        A branch of a pull request is never followed.
        """
        repository = self._repository(submodule)
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
