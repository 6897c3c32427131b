"""Datasets for the verbs of a dataset; a Redis and a site for those that look at a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.dataset import FILES, Dataset
from tests.looking import broker, site

__all__ = ["broker", "site"]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Two files, a pipeline over each of them, and one over its results."""
    return Dataset(tmp_path / "data", FILES)


@pytest.fixture
def settled(dataset: Dataset) -> Dataset:
    """The same after everything has run."""
    done = dataset.tea("run", "-y")
    assert done.code == 0, done
    return dataset
