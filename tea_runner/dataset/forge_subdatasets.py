"""Subdatasets that are repositories of the same forge."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tea_runner.core.errors import OutsideError, UserError
from tea_runner.core.git.submodules import Submodule, repository_of
from tea_runner.core.webhook import matches_repository
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
    ) -> None:
        """Make them.

        :param own: ``owner/name`` of the dataset.
        :param base: URL of the forge.
        :param allowed: patterns of repositories of other owners that may be read.  The bot's account may
            read more than the user who pushed, whose ``.gitmodules`` could name any repository.
        """
        self._allowed = tuple(allowed)
        self._own = own
        self._base = base.rstrip("/")
        self._open = open_repository
        self._opened: dict[str, ForgeDataset] = {}

    def name(self, submodule: Submodule) -> str:
        """``owner/name`` of the repository.

        :raises UserError: when it is not a repository of this forge, or of another owner and not allowed.
        """
        found = repository_of(submodule.url, self._base, self._own)
        if found is None:
            raise UserError(
                f"subdataset {submodule.path} is at {submodule.url}, which is not a repository of "
                f"{self._base}; push it there and set its url in .gitmodules to ../NAME.git"
            )
        same = found.partition("/")[0] == self._own.partition("/")[0]
        if not same and not any(matches_repository(pattern, found) for pattern in self._allowed):
            raise UserError(
                f"subdataset {submodule.path} is {found}, of another owner; the operator can allow it "
                f"under repositories in the settings"
            )
        return found

    def _repository(self, submodule: Submodule) -> ForgeDataset:
        name = self.name(submodule)
        if name not in self._opened:
            self._opened[name] = self._open(name)
            self._opened[name].mirror.ensure()
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
                    f"{self.name(submodule)} does not have; push it there"
                )
        return repository

    def tip(self, submodule: Submodule, branch: str) -> str | None:
        """The tip of its branch: that in ``.gitmodules``, *branch*, main or master."""
        repository = self._repository(submodule)
        repository.refresh()
        for name in dict.fromkeys((submodule.branch, branch, "main", "master")):
            found = repository.tip(name) if name else None
            if found:
                return found
        return None

    def close(self) -> None:
        """End the processes behind it."""
        for repository in self._opened.values():
            repository.close()
