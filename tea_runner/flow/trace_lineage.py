"""Lineage of files: what a result was made from, and what was made from an input.

Only git objects are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from tea_runner.core.errors import NotFound, TeaError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.explanation import Made
from tea_runner.core.results.lineage import Lineage, LineageFile, LineageStep
from tea_runner.core.results.manifest import Row
from tea_runner.core.results.output_owners import join
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.follow_links import LinkedFolder
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tea_runner.flow.pipeline_key_parts import environment_of
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.read_manifest_statement import inputs_commit
from tea_runner.flow.resolve_at import pin_as_recorded
from tea_runner.flow.resolve_pipeline import seen_files

#: The history of a directory: path to the commit that last wrote it.
Records = Callable[[CommitReader, str], Mapping[str, Made]]
#: Opens another commit of the same dataset; None when the clone does not have it.
OpenTip = Callable[[CommitReader, str], CommitReader | None]
#: The trusted signer of a row of the manifest at a home; empty where nothing proves the row.
SignerOf = Callable[[CommitReader, str, Row], str]


class LineageTracer:
    """Traces files from step to step; each history and each pipeline is read once.

    :param records: reads the history of a directory.
    :param open_tip: opens another commit.
    :param signer: finds the signer of a row.
    """

    def __init__(self, records: Records, open_tip: OpenTip, signer: SignerOf) -> None:
        self._records = records
        self._open = open_tip
        self._signer = signer
        self._found = Lineage()
        self._homes: dict[tuple[str, str, str], Mapping[str, Made]] = {}
        self._inputs: dict[tuple[str, str, str, str], PipelineInputs | None] = {}
        self._owners: dict[tuple[str, str], dict[str, tuple[Pipeline, Row]]] = {}

    # -- upstream ----------------------------------------------------------------------------

    def up(self, tip: CommitReader, paths: list[str]) -> Lineage:
        """The steps that made these files, up to files that no pipeline made.

        :raises UserError: when a path is not in the commit, or has content without a hash.
        """
        queue: list[tuple[CommitReader, str, LineageFile]] = []
        for path in paths:
            file = self._file(tip, path)
            self._found.roots.append(file.id)
            queue.append((*tip.resolve(path), file))
        seen: set[str] = set()
        while queue:
            at, path, file = queue.pop(0)
            if file.id in seen:
                continue
            seen.add(file.id)
            owner = self._owners_of(at).get(path)
            if owner is not None:
                queue += self._step(at, *owner)
        return self._found

    def _file(self, tip: CommitReader, path: str) -> LineageFile:
        at, rest = tip.resolve(path)
        try:
            fact = at.files.fact(rest)
            content, key = str(fact.content), fact.key or ""
        except LinkedFolder:
            # A result that is a link to a folder of results.
            entry = at.tree.entry(rest)
            content, key = f"link:{entry.oid if entry else ''}", ""
        full = f"{tip.tree.path}/{path}" if tip.tree.path else path
        file = LineageFile(
            path=full,
            content=content,
            commit=at.tree.commit,
            dataset=at.tree.path,
            key=key,
        )
        return self._found.files.setdefault(file.id, file)

    def _owners_of(self, tip: CommitReader) -> dict[str, tuple[Pipeline, Row]]:
        """Each path that a pipeline made, with the datum that made it."""
        name = (tip.tree.path, tip.tree.commit)
        if name not in self._owners:
            owners = {}
            try:
                for pipeline in tip.pipelines:
                    for row in read_manifest(tip.tree, pipeline.home).rows:
                        for path in _paths(pipeline, row):
                            owners[path] = (pipeline, row)
            except TeaError:
                # Its pipelines conflict, so that no file can be attributed to one of them.
                owners = {}
            self._owners[name] = owners
        return self._owners[name]

    def _step(
        self, tip: CommitReader, pipeline: Pipeline, row: Row
    ) -> Iterator[tuple[CommitReader, str, LineageFile]]:
        """Add the step of a datum; yields its inputs, to be traced further."""
        present = [path for path in _paths(pipeline, row) if tip.tree.entry(path) is not None]
        outputs = [self._file(tip, path).id for path in present]
        made = self._made(tip, pipeline, present)
        source = self._source(tip, pipeline, row, made)
        step = LineageStep(
            pipeline=pipeline.name,
            datum=row.datum,
            key=row.key,
            dataset=tip.tree.path,
            command=pipeline.transform.cmd,
            environment=(),
            spec=pipeline.spec_path,
            record=made.commit if made else "",
            subject=made.subject if made else "",
            signer=self._signer(tip, pipeline.home, row),
            outputs=tuple(outputs),
            note=""
            if source
            else "its inputs are in no commit of this clone; fetch the whole history",
        )
        if source is None:
            self._found.steps.setdefault(step.id, step)
            return
        at, derived = source
        inputs = [(path, self._file(at, path)) for path in _input_paths(at, derived, row.datum)]
        code = [self._file(at, path) for path in (*derived.code, *filter(None, [derived.image]))]
        step = replace(
            step,
            command=derived.pipeline.transform.cmd,
            environment=environment_of(at, derived.pipeline)[1],
            spec=derived.pipeline.spec_path,
            at=at.tree.commit,
            inputs=tuple(file.id for _, file in inputs),
            code=tuple(file.id for file in code),
        )
        if step.id in self._found.steps:
            return
        self._found.steps[step.id] = step
        for path, file in inputs:
            yield (*at.resolve(path), file)

    def _made(self, tip: CommitReader, pipeline: Pipeline, paths: list[str]) -> Made | None:
        name = (tip.tree.path, tip.tree.commit, pipeline.home)
        if name not in self._homes:
            self._homes[name] = self._records(tip, pipeline.home)
        return next((self._homes[name][path] for path in paths if path in self._homes[name]), None)

    def _source(
        self, tip: CommitReader, pipeline: Pipeline, row: Row, made: Made | None
    ) -> tuple[CommitReader, PipelineInputs] | None:
        """The commit at which the datum has this key: this one, its record, or the planned one."""
        planned = inputs_commit(tip.tree, pipeline.home)
        commits = [tip.tree.commit, made.commit if made else "", planned]
        for commit in dict.fromkeys(filter(None, commits)):
            at = tip if commit == tip.tree.commit else self._open(tip, commit)
            inputs = self._derived(at, pipeline.name, tip) if at is not None else None
            if at is None or inputs is None:
                continue
            if any(item.label == row.datum and item.key == row.key for item in inputs.keyed):
                return at, inputs
        return None

    def _derived(
        self, tip: CommitReader, name: str, results: CommitReader
    ) -> PipelineInputs | None:
        """The inputs of a pipeline at a commit, with the image of its results at another."""
        key = (tip.tree.path, tip.tree.commit, name, results.tree.commit)
        if key not in self._inputs:
            try:
                pipeline = next((p for p in tip.pipelines if p.name == name), None)
                if pipeline is not None:
                    recorded = read_manifest(results.tree, pipeline.home)
                    pipeline = pin_as_recorded(pipeline, recorded)
                self._inputs[key] = derive_inputs(tip, pipeline) if pipeline is not None else None
            except TeaError:
                self._inputs[key] = None
        return self._inputs[key]

    # -- downstream --------------------------------------------------------------------------

    def down(self, tip: CommitReader, path: str) -> Lineage:
        """The steps that used a file, or a file below a directory, directly or through others.

        :raises NotFound: when no result at this commit was made from it.
        """
        reached: set[str] = set()
        for pipeline in tip.pipelines:
            derived = self._derived(tip, pipeline.name, tip)
            rows = read_manifest(tip.tree, pipeline.home).by_datum
            keys = {item.label: item.key for item in derived.keyed} if derived else {}
            code = any(_contains(path, one) for one in derived.code) if derived else False
            for label, row in rows.items():
                if derived is None or keys.get(label) != row.key:
                    continue
                inputs = _input_paths(tip, derived, label)
                if code or any(_contains(path, one) or one in reached for one in inputs):
                    reached.update(_paths(pipeline, row))
                    for _ in self._step(tip, pipeline, row):
                        pass
        self._found.roots += [f.id for f in self._found.files.values() if _contains(path, f.path)]
        if not self._found.steps:
            raise NotFound(
                f"nothing that is current at {tip.tree.commit[:12]} was made from {path}",
                hint="tea-runner status shows what is not current",
            )
        return self._found


def _input_paths(tip: CommitReader, inputs: PipelineInputs, label: str) -> list[str]:
    """Paths in the commit's dataset of all input files of a datum."""
    files = [
        each.path for _, located in seen_files(inputs, inputs.datum(label)) for each in located
    ]
    # Those of a subdataset's pipeline begin at the superdataset.
    return [path.removeprefix(f"{tip.tree.path}/") for path in files] if tip.tree.path else files


def _paths(pipeline: Pipeline, row: Row) -> list[str]:
    return [join(pipeline.home, path) for path in row.paths]


def _contains(directory: str, path: str) -> bool:
    return directory in ("", ".", path) or path.startswith(directory.rstrip("/") + "/")
