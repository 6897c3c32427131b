"""Commands of run records for ``view: pfs``, which stock ``datalad rerun`` carries out.

The record names a program by its git blob, and tells it what the command sees.  The program is kept in the
dataset at :data:`PROGRAM_PATH`, once for each of its versions; it needs no tea-runner.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.environment_variables import variables
from tea_runner.core.datums.view import View
from tea_runner.core.git.object_id import object_id
from tea_runner.core.git.tree import PLAIN, TREE
from tea_runner.core.pipeline import pfs_leaves
from tea_runner.core.results.compose_commit import Composition, FinishedDatum, NewEntry
from tea_runner.core.results.output_owners import parents_of
from tea_runner.core.results.run_record import escape, exec_command
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.input_location import join
from tea_runner.flow.nested_datasets import is_housekeeping
from tea_runner.flow.pipeline_inputs import PipelineInputs
from tea_runner.flow.prefetch_facts import prefetch_facts

#: The program's text, as it is in datasets.
PROGRAM = files("tea_runner.sandbox").joinpath("rerun_program.py").read_bytes()
PROGRAM_ID = object_id("blob", PROGRAM)
PROGRAM_PATH = f".datalad/tea-runner/rerun-{PROGRAM_ID[:12]}.py"
#: Longest command, in bytes: the kernel takes 128 KiB for an argument (``MAX_ARG_STRLEN``), and shell text is
#: one argument.
_LONGEST = 100_000
#: Variables that the program sets itself.
OWN_VARIABLES = frozenset(
    {
        "HOME",
        "LANG",
        "PFS",
        "TEA_DATASET",
        "PPS_NAMESPACE",
        "PACH_NAMESPACE",
        "PPS_POD_NAME",
        "PACH_JOB_ID",
        "PACH_OUTPUT_COMMIT_ID",
    }
)


def pfs_view_command(
    tip: CommitReader, inputs: PipelineInputs, group: Sequence[FinishedDatum]
) -> str:
    """Shell text that repeats datums in a clone.

    It calls ``tea-runner exec`` where the program cannot do it: in images, with secrets, for datums of so
    many inputs that the text would be too long, and where the dataset has no room for the program.
    """
    pipeline, transform = inputs.pipeline, inputs.pipeline.transform
    labels = [datum.label for datum in group]
    plain = exec_command(
        pipeline.spec_blob,
        pipeline.spec_document,
        pipeline.name,
        labels,
        transform.image if transform.image_tag else "",
    )
    if transform.image or transform.secrets or not _has_room(tip):
        return plain
    words = ["--spec", f"{pipeline.spec_blob}:{pipeline.spec_document}"]
    words += ["--pipeline", pipeline.name]
    words += _repeated("--code", inputs.code)
    words += _repeated("--stdin", transform.stdin)
    words += _repeated("--accept", map(str, transform.accept_return_code))
    words += _repeated("--error", transform.err_cmd)
    words += _repeated("--error-stdin", transform.err_stdin)
    words += ["--workdir", transform.working_dir] if transform.working_dir else []
    words += ["--tries", str(pipeline.datum_tries)] if pipeline.datum_tries != 3 else []
    words += ["--network"] if transform.network else []
    datums = list(prefetch_facts(tip, map(inputs.datum, labels), inputs.sources))
    views = [inputs.view(datum) for datum in datums]
    settings = [
        _variables(inputs, datum, view, item.key)
        for datum, view, item in zip(datums, views, group, strict=True)
    ]
    common = dict(set.intersection(*(set(each.items()) for each in settings)))
    words += _assignments(common)
    for item, datum, view, own in zip(group, datums, views, settings, strict=True):
        words += ["--datum", item.label, "--to", join(pipeline.home, item.place)]
        words += _assignments({name: own[name] for name in own.keys() - common.keys()})
        words += _inputs(inputs, datum, view)
    text = f'program=$(git cat-file blob {PROGRAM_ID}) && python3 -c "$program" '
    text += shlex.join([*words, "--", *transform.cmd])
    return escape(text) if len(text.encode("utf-8", "surrogateescape")) <= _LONGEST else plain


def _has_room(tip: CommitReader) -> bool:
    """Whether no file, link or subdataset of the dataset is in the place of the program's folders."""
    folders = list(parents_of(PROGRAM_PATH))
    entries = [entry for entry in map(tip.tree.entry, folders) if entry is not None]
    return all(entry.mode == TREE for entry in entries)


def with_program(tip: CommitReader, composition: Composition) -> Composition:
    """Add the program to the commits, if a record needs it and the dataset does not have it."""
    entry = tip.tree.entry(PROGRAM_PATH)
    used = any(PROGRAM_ID in step.record.command for step in composition.steps)
    if not used or (entry is not None and (entry.mode, entry.oid) == (PLAIN, PROGRAM_ID)):
        return composition
    return replace(
        composition, rest={**composition.rest, PROGRAM_PATH: NewEntry(PLAIN, data=PROGRAM)}
    )


def _repeated(option: str, values: Iterable[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _assignments(values: Mapping[str, str]) -> list[str]:
    return [word for name in sorted(values) for word in ("--set", name, values[name])]


def _variables(inputs: PipelineInputs, datum: Datum, view: View, key: str) -> dict[str, str]:
    """The datum's variables, without those that the program derives from its other arguments."""
    pipeline = inputs.pipeline
    found = variables(
        pipeline,
        datum,
        view,
        inputs.sources,
        key=key,
        job="",
        commit="",
        pfs="",
        dataset="",
    )
    declared = dict(pipeline.transform.env)
    derived = OWN_VARIABLES | view.paths.keys()
    return {name: found[name] for name in found if name in declared or name not in derived}


def _inputs(inputs: PipelineInputs, datum: Datum, view: View) -> Iterator[str]:
    """The datum's files and directories, each with its path below ``/pfs``."""
    leaves = pfs_leaves(inputs.pipeline.input)
    for entry, seen in zip(datum.entries, view.inputs, strict=True):
        source = inputs.sources[entry.input].path(entry.path)
        if entry.is_dir:
            shown = {source_path for _, number, source_path in view.files if number == entry.input}
            yield from _repeated("--without", _unseen(inputs, entry.input, entry.path, shown))
        yield "--empty" if leaves[entry.input].empty_files else "--in"
        yield seen.path.rstrip("/")
        yield source or "."


def _unseen(inputs: PipelineInputs, number: int, path: str, shown: set[str]) -> list[str]:
    """Files and folders below an entry that git knows and the command does not see.

    :param path: of the entry, below the input's directory.
    :param shown: files that the command sees, likewise.
    """
    source, location = inputs.sources[number], inputs.locations[number]
    start = len(source.path(""))
    found = []
    for dataset in ("", *source.inner):
        if dataset and not (dataset + "/").startswith(path + "/" if path else ""):
            continue
        view = location.tip.resolve(source.inner_path(dataset))[0] if dataset else location.tip
        below = view.tree.files_below("" if dataset else source.inner_path(path))
        front = source.path(dataset) if dataset else location.dataset
        found += [join(front, each.lstrip("/"))[start:].lstrip("/") for each in below]
    seen = shown | {parent for each in shown for parent in parents_of(each)} | {path}
    left = set()
    for each in found:
        # A link to a folder is a parent of files that the command sees.
        if each in seen or each in source.inner or is_housekeeping(each):
            continue
        # The topmost folder of which the command sees nothing.
        left.add(
            next(front for front in (*reversed(list(parents_of(each))), each) if front not in seen)
        )
    return sorted(source.path(each) for each in left)
