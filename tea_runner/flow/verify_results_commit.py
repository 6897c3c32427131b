"""Check of a results commit: whether it is exactly what its inputs and outputs make.

The commit is composed again: keys from its parent, outputs from its tree, records, message and dates
by the rules of all results commits.  Any change by hand gives another commit id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tea_runner.core.datums.content_identity import key_size, pointer_key
from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import OutputRefused, OutsideError, TeaError
from tea_runner.core.git.commit_signature import split_signature
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN, SUBMODULE, lookup, walk_tree
from tea_runner.core.planning.plan import Decision, PipelinePlan
from tea_runner.core.planning.recorded_environment import recorded_variables
from tea_runner.core.results.manifest import Manifest, Row
from tea_runner.core.results.network_addresses_of_command import SOURCE
from tea_runner.core.results.output_owners import join
from tea_runner.core.results.result import Result, ResultFile
from tea_runner.core.results.run_conditions import TRUSTED, parse_conditions
from tea_runner.core.results.run_record import parse_record, parse_trailers
from tea_runner.flow import pfs_view_command
from tea_runner.flow.commit_reader import CommitReader, open_commit
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.read_manifest_statement import read_manifest_statement
from tea_runner.flow.recorded_command import command_of
from tea_runner.flow.resolve_image import resolve_image
from tea_runner.flow.resolve_variable_values import with_variables
from tea_runner.flow.sign_manifest import ManifestSigner
from tea_runner.flow.tick_inputs import ticks_of_labels
from tea_runner.flow.write_results_commit import draft, finish, published
from tea_runner.ports import Dataset, Subdatasets

_EXECUTES = re.compile(r"program=\$\(git cat-file blob ([0-9a-f]+)\) ")


@dataclass
class CommitCheck:
    """The problems of one commit, and what was checked."""

    commit: str
    pipeline: str = ""
    datums: int = 0
    outputs: int = 0
    problems: list[str] = field(default_factory=list)


def check_commit(
    dataset: Dataset, commit: str, raw: bytes, *, links: Subdatasets | None = None
) -> CommitCheck:
    """Compose the commit again and compare the commit ids.

    :param raw: the commit object, as git stores it.
    :param links: where the dataset's subdatasets are, if they can be read.
    """
    check = CommitCheck(commit)
    facts = dataset.objects.commit(commit)
    check.pipeline = parse_trailers(facts.message).get("Tea-Pipeline", "")
    if not check.pipeline or not facts.parents:
        check.problems.append("it is not a results commit: it names no pipeline or has no parent")
        return check
    try:
        _compare(dataset, commit, raw, check, links)
    except OutsideError as error:
        check.problems.append(f"it cannot be checked here: {error.message}")
    except (OutputRefused, TeaError) as error:
        check.problems.append(error.message)
    return check


def _compare(
    dataset: Dataset, commit: str, raw: bytes, check: CommitCheck, links: Subdatasets | None
) -> None:
    facts = dataset.objects.commit(commit)
    before = open_commit(dataset.objects, facts.parents[0], PlanningCache())
    pins = _moved_pins(dataset, before.tree.root, facts.tree)
    tip = open_commit(
        dataset.objects, facts.parents[0], PlanningCache(), subdatasets=links, pins=pins
    )
    after = open_commit(dataset.objects, commit, PlanningCache())
    pipeline = next((p for p in tip.pipelines if p.name == check.pipeline), None)
    if pipeline is None:
        check.problems.append(
            f"commit {tip.tree.commit[:12]}, on which it builds, has no pipeline {check.pipeline}"
        )
        return
    manifest = read_manifest(after.tree, pipeline.home)
    pipeline = ticks_of_labels(pipeline, manifest.by_datum)
    pipeline = with_variables(pipeline, recorded_variables(manifest))
    inputs = derive_inputs(tip, resolve_image(tip, pipeline, manifest))
    _check_keys(inputs, manifest, tip, check)
    results = _results(dataset, after, inputs, manifest, check)
    if check.problems:
        return
    messages = _record_messages(dataset, commit, tip.tree.commit)
    program = _program(messages)
    if program and program not in pfs_view_command.PROGRAMS:
        check.problems.append(f"its records execute {program}, which is no program of a release")
        return
    exits = _exit_codes(messages)
    rows = manifest.by_datum
    decisions = tuple(
        Decision(item.label, item.key, item.place, "reuse", "known")
        for item in inputs.keyed
        if item.label in rows
    )
    plan = PipelinePlan(pipeline=pipeline, state="ready", decisions=decisions)

    def result_of(decision: Decision) -> Result:
        row = rows[decision.label]
        return Result(
            decision.key,
            results[decision.label],
            exits.get(decision.key, 0),
            recovered=row.state == "recovered",
            # What is in no tree is stated by the manifest alone, whose signature is checked apart.
            ran=parse_conditions(row.ran) or TRUSTED,
        )

    finished = finish(inputs, ((each, result_of(each)) for each in published(plan)))
    assert not isinstance(finished, Decision)
    former, signed = (read_manifest_statement(at.tree, pipeline.home) for at in (tip, after))
    again = signed.statement.recomputed if signed is not None else ()
    finished = [replace(item, recomputed=item.key in again) for item in finished]
    payload, _ = split_signature(raw)
    store = dataset.writer()
    who = _author(payload)
    composition, oid = draft(
        dataset.objects,
        store,
        tip,
        inputs,
        finished,
        plan.gone(read_manifest(tip.tree, pipeline.home)),
        who=who,
        # Former releases wrote commands and trailers of another form.
        command=None if _calls_tea_runner(messages) else command_of(tip, inputs, program),
        with_causes=b"\nTea-Cause: " in payload,
        with_sources=any(SOURCE in parse_trailers(message) for message in messages),
        keyed_groups=all("Tea-Key" in parse_trailers(message) for message in messages),
        signer=ManifestSigner(
            repository=signed.statement.repository if signed is not None else "",
            # Who signed the manifest is checked apart: here its signature is one more file.
            sign=lambda _: signed.signature if signed is not None else b"",
        ),
        is_signed=former is not None,
        # Its author did so if only the signature is new.
        resign=former != signed,
    )
    if composition.empty:
        check.problems.append("its inputs make no results commit")
    elif oid != store.add("commit", payload):
        check.problems.append(
            "it is not the commit that these inputs and outputs make: its message, author, dates, "
            "parents or files beside the results differ"
        )


def _author(payload: bytes) -> str:
    for line in payload.split(b"\n"):
        if line.startswith(b"author "):
            return line[7:].rsplit(b" ", 2)[0].decode("utf-8", "surrogateescape")
    return ""


def _moved_pins(dataset: Dataset, before: str, after: str) -> dict[str, str]:
    """Path to new commit of each subdataset whose pin the results commit moved."""
    read = dataset.objects.tree
    old = {path: e.oid for path, e in walk_tree(read, before) if e.mode == SUBMODULE}
    new = {path: e.oid for path, e in walk_tree(read, after) if e.mode == SUBMODULE}
    return {path: oid for path, oid in new.items() if path in old and old[path] != oid}


def _check_keys(
    inputs: PipelineInputs, manifest: Manifest, tip: CommitReader, check: CommitCheck
) -> None:
    keys = {item.label: item for item in inputs.keyed}
    for row in manifest.rows:
        item = keys.get(row.datum)
        if item is None:
            check.problems.append(
                f"datum {shown_label(row.datum)} is in the manifest, but not in commit {tip.tree.commit[:12]}"
            )
        elif (item.key, item.place) != (row.key, row.place):
            check.problems.append(
                f"datum {shown_label(row.datum)}: the manifest has key {row.key[:12]} at {row.place or '.'}, "
                f"its inputs make {item.key[:12]} at {item.place or '.'}"
            )
    check.datums = manifest.count


def _results(
    dataset: Dataset,
    after: CommitReader,
    inputs: PipelineInputs,
    manifest: Manifest,
    check: CommitCheck,
) -> dict[str, tuple[ResultFile, ...]]:
    found = {}
    for row in manifest.rows:
        outputs = []
        for path in row.outputs:
            output = _output(dataset, after, inputs.pipeline.home, row, path)
            if output is None:
                check.problems.append(
                    f"output {path} of datum {shown_label(row.datum)} is not in its tree"
                )
            else:
                outputs.append(output)
        found[row.datum] = tuple(outputs)
        check.outputs += len(outputs)
    return found


def _output(
    dataset: Dataset, after: CommitReader, home: str, row: Row, path: str
) -> ResultFile | None:
    full = join(home, join(row.place, path))
    entry = lookup(dataset.objects.tree, after.tree.root, full)
    if entry is None or entry.mode not in (LINK, PLAIN, EXECUTABLE):
        return None
    stated = dict(zip(row.outputs, row.sizes, strict=False)).get(path, 0)
    data = dataset.objects.blob(entry.oid)
    key = pointer_key(LINK, data) if entry.mode == LINK and data is not None else None
    if key is not None:
        size = key_size(key)
        return ResultFile(path, "annex", key, stated if size is None else size)
    size = stated if data is None else len(data)
    if entry.mode == LINK:
        return ResultFile(path, "link", entry.oid, size)
    return ResultFile(path, "git", entry.oid, size, entry.mode == EXECUTABLE)


def _record_messages(dataset: Dataset, commit: str, stop: str) -> list[str]:
    """Messages of the commits with run records of this results commit."""
    found = []
    oid = commit
    facts = dataset.objects.commit(oid)
    if len(facts.parents) > 1:
        oid = facts.parents[1]
    while oid != stop:
        facts = dataset.objects.commit(oid)
        if parse_record(facts.message) is not None:
            found.append(facts.message)
        if not facts.parents:
            break
        oid = facts.parents[0]
    return found


def _exit_codes(messages: Sequence[str]) -> dict[str, int]:
    """Key to exit code, from run records."""
    exits: dict[str, int] = {}
    for message in messages:
        key = parse_trailers(message).get("Tea-Key")
        code = (parse_record(message) or {}).get("exit", 0)
        if key and isinstance(code, int):
            exits[key] = code
    return exits


def _program(messages: Sequence[str]) -> str:
    """Id of the program that records execute; empty where none does."""
    commands = (str((parse_record(message) or {}).get("cmd", "")) for message in messages)
    return next((found[1] for found in map(_EXECUTES.match, commands) if found), "")


def _calls_tea_runner(messages: Sequence[str]) -> bool:
    """Whether all records call ``tea-runner exec``, which former releases wrote for each ``view: pfs``."""
    return bool(messages) and all(
        str((parse_record(message) or {}).get("cmd", "")).startswith("tea-runner exec ")
        for message in messages
    )
