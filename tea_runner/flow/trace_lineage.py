"""A tip and a path in, what it was made from, or what was made from it, out; git alone is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tea_runner.core.errors import NotFound, TeaError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.planning.explanation import Made
from tea_runner.core.results.lineage import Lineage, LineageFile, LineageStep
from tea_runner.core.results.manifest import Row
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.pipeline_inputs import PipelineInputs, derive_inputs, environment_of
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.resolve_spec import seen_files

#: All that the history of a directory says: path to the commit that last wrote it.
Records = Callable[[CommitView, str], Mapping[str, Made]]
#: Another commit of the dataset of a tip; None when it is not at hand.
OpenTip = Callable[[CommitView, str], CommitView | None]


class LineageTracer:
    """Follows files from step to step; what was read once is not read again."""

    def __init__(self, records: Records, open_tip: OpenTip) -> None:
        self._records = records
        self._open = open_tip
        self._found = Lineage()
        self._homes: dict[tuple[str, str, str], Mapping[str, Made]] = {}
        self._works: dict[tuple[str, str, str], PipelineInputs | None] = {}
        self._owners: dict[tuple[str, str], dict[str, tuple[Pipeline, Row]]] = {}

    # -- upstream ----------------------------------------------------------------------------

    def up(self, tip: CommitView, paths: list[str]) -> Lineage:
        """What these files were made from, and so on, to files that people brought."""
        todo: list[tuple[CommitView, str, LineageFile]] = []
        for path in paths:
            file = self._file(tip, path)
            self._found.roots.append(file.id)
            todo.append((*tip.resolve(path), file))
        seen: set[str] = set()
        while todo:
            at, path, file = todo.pop(0)
            if file.id in seen:
                continue
            seen.add(file.id)
            owner = self._owner(at).get(path)
            if owner is not None:
                todo += self._step(at, *owner)
        return self._found

    def _file(self, tip: CommitView, path: str) -> LineageFile:
        at, rest = tip.resolve(path)
        fact = at.files.fact(rest)
        full = f"{tip.tree.path}/{path}" if tip.tree.path else path
        file = LineageFile(
            path=full,
            content=str(fact.content),
            commit=at.tree.commit,
            dataset=at.tree.path,
            key=fact.key or "",
        )
        return self._found.files.setdefault(file.id, file)

    def _owner(self, tip: CommitView) -> dict[str, tuple[Pipeline, Row]]:
        """Each path that a pipeline made, with the datum that owns it."""
        name = (tip.tree.path, tip.tree.commit)
        if name not in self._owners:
            found = {}
            try:
                for pipeline in tip.pipelines:
                    for row in read_manifest(tip.tree, pipeline.home).rows:
                        for path in _paths(pipeline, row):
                            found[path] = (pipeline, row)
            except TeaError:
                # Its pipelines are at odds with one another: then nothing is known to be made here.
                found = {}
            self._owners[name] = found
        return self._owners[name]

    def _step(
        self, tip: CommitView, pipeline: Pipeline, row: Row
    ) -> Iterator[tuple[CommitView, str, LineageFile]]:
        """Note the step, and give its inputs to be followed."""
        there = [path for path in _paths(pipeline, row) if tip.tree.entry(path) is not None]
        outputs = [self._file(tip, path).id for path in there]
        made = self._made(tip, pipeline, there)
        found = self._at(tip, pipeline, row, made)
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
            outputs=tuple(outputs),
            note="" if found else "its inputs are in no commit at hand; fetch the whole history",
        )
        if found is None:
            self._found.steps.setdefault(step.id, step)
            return
        at, work = found
        inputs = [(path, self._file(at, path)) for path in _inputs(at, work, row.datum)]
        code = [self._file(at, path) for path in (*work.code, *filter(None, [work.image]))]
        step = LineageStep(
            pipeline=step.pipeline,
            datum=step.datum,
            key=step.key,
            dataset=step.dataset,
            command=work.pipeline.transform.cmd,
            environment=_environment(at, work),
            spec=work.pipeline.spec_path,
            record=step.record,
            subject=step.subject,
            at=at.tree.commit,
            inputs=tuple(file.id for _, file in inputs),
            code=tuple(file.id for file in code),
            outputs=step.outputs,
        )
        if step.id in self._found.steps:
            return
        self._found.steps[step.id] = step
        for path, file in inputs:
            yield (*at.resolve(path), file)

    def _made(self, tip: CommitView, pipeline: Pipeline, paths: list[str]) -> Made | None:
        name = (tip.tree.path, tip.tree.commit, pipeline.home)
        if name not in self._homes:
            self._homes[name] = self._records(tip, pipeline.home)
        return next((self._homes[name][path] for path in paths if path in self._homes[name]), None)

    def _at(
        self, tip: CommitView, pipeline: Pipeline, row: Row, made: Made | None
    ) -> tuple[CommitView, PipelineInputs] | None:
        """The commit at which the datum has this key: here, at its record, or where it was planned."""
        planned = read_manifest(tip.tree, pipeline.home).inputs_at
        commits = [tip.tree.commit, made.commit if made else "", planned]
        for commit in dict.fromkeys(filter(None, commits)):
            at = tip if commit == tip.tree.commit else self._open(tip, commit)
            work = self._work(at, pipeline.name) if at is not None else None
            if at is None or work is None:
                continue
            if any(item.label == row.datum and item.key == row.key for item in work.keyed):
                return at, work
        return None

    def _work(self, tip: CommitView, name: str) -> PipelineInputs | None:
        place = (tip.tree.path, tip.tree.commit, name)
        if place not in self._works:
            try:
                pipeline = next((p for p in tip.pipelines if p.name == name), None)
                self._works[place] = derive_inputs(tip, pipeline) if pipeline is not None else None
            except TeaError:
                self._works[place] = None
        return self._works[place]

    # -- downstream --------------------------------------------------------------------------

    def down(self, tip: CommitView, path: str) -> Lineage:
        """What was made from a file, or from the files below a directory, and so on.

        :raises NotFound: when no result at this commit was made from it.
        """
        reached: set[str] = set()
        for pipeline in tip.pipelines:
            work = self._work(tip, pipeline.name)
            rows = read_manifest(tip.tree, pipeline.home).by_datum
            keys = {item.label: item.key for item in work.keyed} if work else {}
            code = any(_holds(path, one) for one in work.code) if work else False
            for label, row in rows.items():
                if work is None or keys.get(label) != row.key:
                    continue
                inputs = _inputs(tip, work, label)
                if code or any(_holds(path, one) or one in reached for one in inputs):
                    reached.update(_paths(pipeline, row))
                    for _ in self._step(tip, pipeline, row):
                        pass
        self._found.roots += [f.id for f in self._found.files.values() if _holds(path, f.path)]
        if not self._found.steps:
            raise NotFound(
                f"nothing that is current at {tip.tree.commit[:12]} was made from {path}; "
                f"tea-runner status shows what is not current"
            )
        return self._found


def _inputs(tip: CommitView, work: PipelineInputs, label: str) -> list[str]:
    """Paths in the tip's dataset of all files that a datum's command sees as inputs."""
    files = [each.path for _, located in seen_files(work, work.datum(label)) for each in located]
    # A subdataset's own pipelines are told with the paths of the dataset that was asked.
    return [path.removeprefix(f"{tip.tree.path}/") for path in files] if tip.tree.path else files


def _environment(tip: CommitView, work: PipelineInputs) -> tuple[str, ...]:
    return environment_of(tip, work.pipeline)[1]


def _paths(pipeline: Pipeline, row: Row) -> list[str]:
    return [f"{pipeline.home}/{path}" if pipeline.home else path for path in row.paths]


def _holds(place: str, path: str) -> bool:
    return place in ("", ".", path) or path.startswith(place.rstrip("/") + "/")
