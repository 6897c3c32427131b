"""Subdatasets in memory: other datasets of one forge."""

from __future__ import annotations

from tea_runner.core.errors import NotFound, UserError
from tea_runner.core.git.submodules import Submodule, repository_of
from tests.twins.dataset import MemoryDataset


class MemorySubdatasets:
    """Subdatasets that are other repositories of the forge ``https://forge.example``."""

    def __init__(
        self, *datasets: MemoryDataset, own: str = "lab/data", moves_pins: bool = True
    ) -> None:
        self._own = own
        self._datasets = {dataset.name: dataset for dataset in datasets}
        self._moves_pins = moves_pins
        self.closed = False

    def name(self, submodule: Submodule) -> str:
        """``owner/name`` of the repository."""
        name = repository_of(submodule.url, "https://forge.example", self._own)
        if name is None or name not in self._datasets:
            raise UserError(f"subdataset {submodule.path} comes from {submodule.url}")
        return name

    def dataset(self, submodule: Submodule, commit: str) -> MemoryDataset:
        """The subdataset, if it has the commit."""
        dataset = self._datasets[self.name(submodule)]
        if not dataset.objects.has(commit):
            raise NotFound(f"subdataset {submodule.path} does not have commit {commit[:12]}")
        return dataset

    def tip(self, submodule: Submodule, branch: str) -> str | None:
        """The first branch there is of the ones that are named, ``main`` and ``master``."""
        dataset = self._datasets[self.name(submodule)]
        dataset.refresh()
        names = (submodule.branch, branch, "main", "master")
        tips = (dataset.tip(name) for name in names if name)
        return next((tip for tip in tips if tip), None) if self._moves_pins else None

    def close(self) -> None:
        """Note that nothing is read any more."""
        self.closed = True
