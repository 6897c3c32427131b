"""Inputs whose ``repo`` means two things: a pipeline's name and a folder, or two pipelines.

A pipeline that is added must not take over the readers of a folder, without a word, because it has the
folder's name.
"""

from __future__ import annotations

from itertools import islice

from tea_runner.core.errors import OutsideError, Refused, SpecError
from tea_runner.core.git.tree import SUBMODULE, TREE, lookup, walk_tree
from tea_runner.core.pipeline import Pfs, Pipeline, pfs_leaves
from tea_runner.core.results import manifest_text
from tea_runner.core.results.output_owners import join
from tea_runner.core.spec.pipeline_file_names import SPEC_NAMES
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.read_manifest_statement import inputs_commit


def refuse_ambiguous_inputs(tip: CommitReader, pipeline: Pipeline) -> None:
    """Refuse a pipeline with an input that means two things, or that would write into such a one.

    :raises SpecError: naming both.
    """
    refuse_foreign_home(tip, pipeline)
    for leaf in pfs_leaves(pipeline.input):
        other = tip.pipelines.source_of(leaf)
        if other is not None:
            refuse_ambiguous(tip, pipeline, leaf, other)


def refuse_ambiguous(tip: CommitReader, pipeline: Pipeline, leaf: Pfs, other: Pipeline) -> None:
    """Refuse an input that reads another pipeline's results and may as well mean something else.

    :param other: the pipeline that the input would read.
    :raises SpecError: naming both, and how each is written.
    """
    name = leaf.place
    named = tip.pipelines.by_name.get(name)
    if other.home == name:
        if named is not None and named is not other and not leaf.is_path:
            both = f"the pipeline {_called(named)} and the folder of the pipeline {other.name}"
            ways = f"write {named.home} for the one, ./{name} or {other.name} for the other"
            raise _refusal(pipeline, f"{name} is {both}", ways)
        taken = foreign_file(tip, other)
        if taken:
            text = f"pipeline {_called(other)} would publish into {name}, which holds {taken}"
            raise _refusal(pipeline, text, "give the pipeline another name")
        if _takes_over(tip, other, pipeline):
            raise _takeover(other, pipeline, pipeline, "input.pfs.repo")
        return
    place = _folder_called(tip, name)
    if place:
        both = f"the pipeline {_called(other)} and the folder {place}"
        ways = f"write {other.home} for the pipeline's results, or ./{place} for the folder"
        raise _refusal(pipeline, f"{name} is {both}", ways)


def refuse_foreign_home(tip: CommitReader, pipeline: Pipeline) -> None:
    """Refuse to publish for the first time into a folder of data that another pipeline reads.

    :raises SpecError: naming the folder, and a file in it.
    """
    if pipeline.home not in tip.pipelines.places_read:
        return
    if not _is_apart(pipeline):
        for reader in tip.pipelines.written:
            reads = any(leaf.place == pipeline.home for leaf in pfs_leaves(reader.input))
            if reads and _takes_over(tip, pipeline, reader):
                raise _takeover(pipeline, reader, pipeline, "pipeline.name")
        return
    taken = foreign_file(tip, pipeline)
    if taken:
        text = (
            f"pipeline {_called(pipeline)} would publish into {pipeline.home}, which holds {taken}"
        )
        raise _refusal(pipeline, text, "give the pipeline another name", "pipeline.name")


def foreign_file(tip: CommitReader, pipeline: Pipeline) -> str:
    """A file in the folder of a pipeline's results that was there before them; empty for none.

    Only where the pipeline file is elsewhere: files beside it are code.
    """
    home = tip.tree.entry(pipeline.home) if _is_apart(pipeline) else None
    if home is None or home.mode != TREE:
        return ""
    if manifest_text.NAME in tip.tree.objects.tree(home.oid):
        return ""
    return _first_file(tip, pipeline.home, home.oid)


def _takes_over(tip: CommitReader, pipeline: Pipeline, reader: Pipeline) -> bool:
    """Whether a pipeline without results lies in a folder whose files made those of a reader.

    Only if the reader's file has not changed since: else the results may be what it asks for now.
    """
    read = tip.tree.objects.tree
    home = tip.tree.entry(pipeline.home)
    if home is None or home.mode != TREE or manifest_text.NAME in read(home.oid):
        return False
    at = inputs_commit(tip.tree, reader.home)
    if not at:
        return False
    try:
        root = tip.tree.objects.commit(at).tree
        spec, folder = (lookup(read, root, path) for path in (reader.spec_path, pipeline.home))
        if spec is None or spec.oid != reader.spec_blob or folder is None or folder.mode != TREE:
            return False
        return not set(SPEC_NAMES) & set(read(folder.oid))
    except (OutsideError, Refused):  # that commit is not here
        return False


def _takeover(pipeline: Pipeline, reader: Pipeline, at: Pipeline, key: str) -> SpecError:
    text = f"pipeline {_called(pipeline)} is in the folder {pipeline.home}, whose files {reader.name} reads"
    hint = (
        f"move it to a folder of its own; if {reader.name} is to read its results, say so in "
        f"{reader.spec_path} with repo: {pipeline.name}"
    )
    return _refusal(at, text, hint, key)


def _is_apart(pipeline: Pipeline) -> bool:
    """Whether the results are in another folder than the pipeline file."""
    return pipeline.home != pipeline.spec_path.rpartition("/")[0]


def _folder_called(tip: CommitReader, name: str) -> str:
    """The folder with data, or the subdataset, that a name is the path or the repository of."""
    entry = tip.tree.entry(name)
    if entry is not None and entry.mode == SUBMODULE:
        return name
    if entry is not None and entry.mode == TREE:
        return name if _first_file(tip, name, entry.oid) else ""
    return tip.tree.subdataset_called(name)


def _first_file(tip: CommitReader, folder: str, oid: str) -> str:
    """Path of a file in a folder, outside of the folders of pipelines; empty for none."""
    homes = tuple(f"{each.home}/" for each in tip.pipelines.written if each.home != folder)
    paths = (join(folder, path) for path, _ in walk_tree(tip.tree.objects.tree, oid))
    return next(islice((path for path in paths if not path.startswith(homes)), 1), "")


def _called(pipeline: Pipeline) -> str:
    return f"{pipeline.name} ({pipeline.spec_path})"


def _refusal(pipeline: Pipeline, text: str, hint: str, key: str = "input.pfs.repo") -> SpecError:
    return SpecError(text, hint=hint, file=pipeline.spec_path, line=pipeline.spec_line, key=key)
