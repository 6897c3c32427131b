"""Commands of run records for ``view: pfs``, which stock ``datalad rerun`` carries out.

The record names a program by its git blob, and tells it what the command sees.  The program is kept in the
dataset at :data:`PROGRAM_PATH`, once for each of its versions; it needs no tea-runner.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files

from tea_runner.core.datums.datum import Datum
from tea_runner.core.datums.environment_variables import variables
from tea_runner.core.datums.view import View
from tea_runner.core.git.hash_object import object_id
from tea_runner.core.git.tree import TREE
from tea_runner.core.pipeline import cron_leaves, empty_inputs
from tea_runner.core.results.compose_commit import FinishedDatum
from tea_runner.core.results.output_owners import parents_of
from tea_runner.core.results.run_record import RecordedCommand, escape, exec_command
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.input_location import join
from tea_runner.flow.nested_datasets import is_housekeeping
from tea_runner.flow.pipeline_datums import PipelineInputs
from tea_runner.flow.prefetch_facts import prefetch_facts

#: The program's text, as it is in datasets.
PROGRAM = files("tea_runner.sandbox").joinpath("rerun_program.py").read_bytes()
PROGRAM_ID = object_id("blob", PROGRAM)
#: Ids of the programs of all releases, the last one that of this release. A commit of a release is verified
#: with its own program: a release that changes it adds an id.
PROGRAMS = ("1bbeae0e075a94e000ff7db5b5c8ef2bebfdc4ec",)
#: Where the dataset keeps what records execute and read.
FOLDER = ".datalad/tea-runner"
#: Longest command, in bytes: the kernel takes 128 KiB for an argument (``MAX_ARG_STRLEN``), and shell text is
#: one argument.
_LONGEST = 100_000
#: Most labels in one call of tea-runner: all arguments of a process have a limit together.
_LABELS = 500
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


def program_path(program: str) -> str:
    """Where the dataset keeps the program of this id."""
    return f"{FOLDER}/rerun-{program[:12]}.py"


PROGRAM_PATH = program_path(PROGRAM_ID)


def recorded_command(
    tip: CommitReader,
    inputs: PipelineInputs,
    group: Sequence[FinishedDatum],
    *,
    program: str = "",
) -> RecordedCommand:
    """Shell text that repeats datums in a clone.

    It calls ``tea-runner exec`` for datasets in images, for ticks of a schedule and values of variables,
    which are in no dataset, and where the dataset has no room for the program.
    Datums for which a command has no room are in a file of their own.

    :param program: id of a former program; that of this release by default.
    """
    pipeline = inputs.pipeline
    by_hand = cron_leaves(pipeline.input) or pipeline.given
    if pipeline.view == "dataset" or by_hand or not has_room(tip):
        return short_command(tip, _exec_text(inputs, group))
    words = _shared_words(inputs)
    datums = list(prefetch_facts(tip, (inputs.datum(each.label) for each in group), inputs.sources))
    views = [inputs.view(datum) for datum in datums]
    settings = [
        _variables(inputs, datum, view, item.key)
        for datum, view, item in zip(datums, views, group, strict=True)
    ]
    common = dict(set.intersection(*(set(each.items()) for each in settings)))
    words += _assignments(common)
    own_words: list[str] = []
    for item, datum, view, own in zip(group, datums, views, settings, strict=True):
        own_words += ["--datum", item.label, "--to", join(pipeline.home, item.place)]
        own_words += _assignments({name: own[name] for name in own.keys() - common.keys()})
        own_words += _inputs(inputs, datum, view)
    program = program or PROGRAM_ID
    start = f'program=$(git cat-file blob {program}) && python3 -c "$program" '
    end = ["--", *pipeline.transform.cmd]
    text = escape(start + shlex.join([*words, *own_words, *end]))
    former = tip.tree.objects.blob(program) or b""
    attached = (program_path(program), PROGRAM if program == PROGRAM_ID else former)
    if is_short(text):
        return RecordedCommand(text, (attached,))
    data = "\0".join(own_words).encode("utf-8", "surrogateescape")
    blob, file = attach("datums", data)
    text = escape(start + shlex.join([*words, "--datums", blob, *end]))
    return RecordedCommand(text, (attached, file))


def _shared_words(inputs: PipelineInputs) -> list[str]:
    """Options of the program for all datums, without variables."""
    pipeline, transform = inputs.pipeline, inputs.pipeline.transform
    words = ["--spec", f"{pipeline.spec_blob}:{pipeline.spec_document}"]
    words += ["--pipeline", pipeline.name]
    words += ["--image", inputs.image or transform.image] if transform.image else []
    words += ["--tagged"] if transform.image and transform.image_tag else []
    for secret in transform.secrets:
        words += ["--secret", secret.env_var] if secret.env_var else ["--secret-file", secret.name]
    words += _repeated("--code", inputs.code)
    words += _repeated("--stdin", transform.stdin)
    words += _repeated("--accept", map(str, transform.accept_return_code))
    words += _repeated("--error", transform.err_cmd)
    words += _repeated("--error-stdin", transform.err_stdin)
    words += ["--workdir", transform.working_dir] if transform.working_dir else []
    words += ["--tries", str(pipeline.datum_tries)] if pipeline.datum_tries != 3 else []
    return words + (["--network"] if transform.network else [])


def short_command(tip: CommitReader, text: str) -> RecordedCommand:
    """The text, or where it is too long for a shell, what executes it as a script."""
    if is_short(text) or not has_room(tip):
        return RecordedCommand(text)
    # datalad rerun formats the text of a record, and not that of a script.
    plain = text.replace("{{", "{").replace("}}", "}")
    blob, file = attach("script", plain.encode("utf-8", "surrogateescape"))
    return RecordedCommand(
        f'script=$(mktemp) && git cat-file blob {blob} >"$script" && sh "$script"; '
        f'code=$?; rm -f "$script"; exit $code',
        (file,),
    )


def is_short(text: str) -> bool:
    """Whether a shell can be given the text."""
    return len(text.encode("utf-8", "surrogateescape")) <= _LONGEST


def attach(kind: str, data: bytes) -> tuple[str, tuple[str, bytes]]:
    """Id of the blob of a file, and the file: its path in the dataset, and its content."""
    blob = object_id("blob", data)
    return blob, (f"{FOLDER}/{kind}-{blob[:12]}", data)


def _exec_text(inputs: PipelineInputs, group: Sequence[FinishedDatum]) -> str:
    pipeline, transform = inputs.pipeline, inputs.pipeline.transform
    image = transform.image if transform.image_tag else ""
    labels = [datum.label for datum in group]
    return " && ".join(
        exec_command(
            pipeline.spec_blob,
            pipeline.spec_document,
            pipeline.name,
            labels[start : start + _LABELS],
            image,
            pipeline.given or (),
        )
        for start in range(0, len(labels), _LABELS)
    )


def has_room(tip: CommitReader) -> bool:
    """Whether no file, link or subdataset of the dataset is in the place of the program's folders."""
    entries = [tip.tree.entry(folder) for folder in (FOLDER, *parents_of(FOLDER))]
    return all(entry.mode == TREE for entry in entries if entry is not None)


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
    empty = empty_inputs(inputs.pipeline.input)
    for entry, seen in zip(datum.entries, view.inputs, strict=True):
        source = inputs.sources[entry.input].path(entry.path)
        if entry.is_dir:
            shown = {source_path for _, number, source_path in view.files if number == entry.input}
            yield from _repeated("--without", _unseen(inputs, entry.input, entry.path, shown))
        yield "--empty" if entry.input in empty else "--in"
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
