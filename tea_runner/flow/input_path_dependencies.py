"""What the inputs of a pipeline depend on: paths whose entries decide datums and keys."""

from __future__ import annotations

from collections.abc import Iterator

from tea_runner.core.git.tree import SUBMODULE
from tea_runner.core.pipeline import pfs_leaves
from tea_runner.core.results import manifest_statement, manifest_text
from tea_runner.core.results.reserved_names import CODE_FOLDER
from tea_runner.core.spec.code_patterns import CodePatterns
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.input_location import join
from tea_runner.flow.pipeline_datums import PipelineInputs

#: Paths that links lead to, up to which each is looked at in every plan.
_MANY = 1000


def input_dependencies(tip: CommitReader, inputs: PipelineInputs) -> Iterator[str]:
    """Paths with these entries, and the same pipeline files, give the same inputs.

    An entry of a directory is the id of its tree, so that it stands for everything below it.
    """
    pipeline = inputs.pipeline
    yield from (pipeline.home, ".gitattributes", ".gitmodules", ".datalad/config")
    if inputs.image:
        yield _pinned(tip, inputs.image)
    through = {_pinned(tip, path) for path in inputs.through}
    through.update(_pinned(tip, path) for each in inputs.locations for path in each.through)
    for source in inputs.sources:
        through.update(_pinned(tip, path) for way in source.links.dependencies for path in way)
    # Of many, the folders at the top stand for all.
    yield from through if len(through) <= _MANY else {path.partition("/")[0] for path in through}
    beside = pipeline.spec_path.rpartition("/")[0]
    default_code = CodePatterns(pipeline.transform).uses_default
    yield CODE_FOLDER if default_code else ""
    if beside and default_code:
        yield beside
        # Files beside the pipeline file that are results of a pipeline are no code.
        for other in tip.pipelines:
            if beside.startswith(other.home):
                prefix = other.home + "/" if other.home else ""
                yield from (
                    prefix + manifest_text.NAME,
                    prefix + manifest_text.DIRECTORY,
                    prefix + manifest_statement.DIRECTORY,
                )
    for location, leaf in zip(inputs.locations, pfs_leaves(pipeline.input), strict=True):
        yield _pinned(tip, join(location.dataset, location.prefix))
        # A path that appears takes precedence over a subdataset of that name.
        first = leaf.place.partition("/")[0]
        if tip.tree.entry(first) is None:
            yield first
        # Data that appears in a folder with the name of a pipeline makes the name ambiguous.
        if location.pipeline:
            yield leaf.place


def _pinned(tip: CommitReader, path: str) -> str:
    """A path in the dataset that is planned; for one in a subdataset, that of the pin."""
    parts = path.split("/")
    fronts = ("/".join(parts[:count]) for count in range(1, len(parts)))
    entries = ((front, tip.tree.entry(front)) for front in fronts)
    return next((front for front, entry in entries if entry and entry.mode == SUBMODULE), path)
