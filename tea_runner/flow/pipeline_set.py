"""The pipelines that the pipeline files of a commit define, and what each reads of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from tea_runner.core.errors import SpecError
from tea_runner.core.pipeline import Pfs, Pipeline, pfs_leaves
from tea_runner.core.planning.dependency_order import order
from tea_runner.core.spec.problem import Problem


class PipelineSet:
    """Pipelines of one commit, iterated so that each comes after those that it reads.

    Iteration raises :class:`SpecError` for two pipelines of one name, and for a cycle.
    """

    def __init__(self, written: Sequence[Pipeline], problems: Sequence[Problem] = ()) -> None:
        """The set of the pipelines *written* in the pipeline files, in the order of the files."""
        self.written = tuple(written)
        self.problems = tuple(problems)

    def __iter__(self) -> Iterator[Pipeline]:
        return iter(self.ordered)

    @cached_property
    def by_name(self) -> Mapping[str, Pipeline]:
        """The first pipeline of each name, in the order of the files."""
        return {pipeline.name: pipeline for pipeline in reversed(self.written)}

    @cached_property
    def _by_home(self) -> Mapping[str, Pipeline]:
        return {each.home: each for each in reversed(self.written) if each.home}

    @cached_property
    def ordered(self) -> tuple[Pipeline, ...]:
        """All pipelines, each after those that it reads.

        :raises SpecError: for two pipelines of one name, or a cycle.
        """
        for pipeline in self.written:
            other = self.by_name[pipeline.name]
            if other is not pipeline:
                raise SpecError(
                    f"two pipelines are called {pipeline.name}; the other is in {other.spec_path}",
                    file=pipeline.spec_path,
                    line=pipeline.spec_line,
                    key="pipeline.name",
                )
        for pipeline in self.written:
            if pipeline.name in self._upstream_names[pipeline.name]:
                raise SpecError(
                    f"pipeline {pipeline.name} would read its own results",
                    hint=f"write ./{pipeline.name} to read a folder of that name",
                    file=pipeline.spec_path,
                    line=pipeline.spec_line,
                    key="input",
                )
        return tuple(self.by_name[n] for n in order(sorted(self.by_name), self._upstream_names))

    @cached_property
    def places_read(self) -> frozenset[str]:
        """What the inputs of all pipelines name, as paths."""
        return frozenset(leaf.place for each in self.written for leaf in pfs_leaves(each.input))

    @cached_property
    def _upstream_names(self) -> dict[str, tuple[str, ...]]:
        return {name: self._names_read_by(each) for name, each in self.by_name.items()}

    def _names_read_by(self, pipeline: Pipeline) -> tuple[str, ...]:
        read = (self.source_of(leaf) for leaf in pfs_leaves(pipeline.input))
        return tuple(dict.fromkeys(other.name for other in read if other is not None))

    def source_of(self, leaf: Pfs) -> Pipeline | None:
        """The pipeline whose results an input reads; None for an input that reads files."""
        at_home = self._by_home.get(leaf.place)
        return at_home or (None if leaf.is_path else self.by_name.get(leaf.place))

    def upstream(self, pipeline: Pipeline) -> tuple[Pipeline, ...]:
        """The pipelines whose results a pipeline reads."""
        known = self.by_name.get(pipeline.name) is pipeline
        names = self._upstream_names[pipeline.name] if known else self._names_read_by(pipeline)
        return tuple(self.by_name[name] for name in names)

    def find(self, name: str) -> Pipeline | None:
        """The pipeline of that name.

        :raises SpecError: as iteration does.
        """
        return next((pipeline for pipeline in self.ordered if pipeline.name == name), None)


class UncheckedPipelineSet(PipelineSet):
    """The first pipeline of each name in the order of the files, even where pipelines conflict."""

    @cached_property
    def ordered(self) -> tuple[Pipeline, ...]:
        """The first pipeline of each name."""
        return tuple(
            {pipeline.name: self.by_name[pipeline.name] for pipeline in self.written}.values()
        )
