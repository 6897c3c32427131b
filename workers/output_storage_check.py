"""Look at the storage before commands run: nothing is computed that could not be stored."""

from __future__ import annotations

from collections.abc import Sequence

from tea_runner.core.errors import Refused
from tea_runner.core.results import largefiles
from tea_runner.core.results.output_owners import join
from tea_runner.dataset.attributes import Attributes
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.output_storage_digest import output_storage_digest
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.host.fault_point import step
from workers.datum_view_folders import output_directory


def storing_rules(repository: GitDataset, tip: CommitReader, directory: str) -> str:
    """Digest of what decides how and where outputs in a directory are stored."""
    return output_storage_digest(
        tip.tree, directory, repository.default_largefiles(), repository.storages()
    )


def refused_by_storage(
    repository: GitDataset,
    attributes: Attributes,
    tip: CommitReader,
    inputs: PipelineInputs,
    datums: Sequence[tuple[str, str]],
) -> tuple[dict[str, str], dict[str, str]]:
    """Keys of datums whose outputs none of the dataset's storages takes, to the error; and to the rules.

    Where it depends on the outputs whether they are annexed, no storage is asked.

    :param datums: label and key of each.
    :raises OutsideError: when the storage takes nothing now.
    """
    places = {
        key: output_directory(inputs.pipeline, pair[1])
        for label, key in datums
        if (pair := inputs.find(label)) is not None
    }
    if not places:
        return {}, {}
    path = join(next(iter(places.values())), "output")
    (rule, _), *_ = attributes.of(tip.tree.root, [path]).values()
    if not largefiles.simple(rule):
        return {}, {}
    try:
        with step("look"):
            repository.prepared_annex().require_writable()
    except Refused as error:
        rules = {key: storing_rules(repository, tip, place) for key, place in places.items()}
        return dict.fromkeys(places, error.message), rules
    return {}, {}
