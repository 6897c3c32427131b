"""The read-only questions of flow/ asked of a :class:`MemoryLab`: one place for their arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tea_runner.core.git.tree import TreeEntry, lookup, walk_tree
from tea_runner.core.planning.explanation import Explanation, Made
from tea_runner.core.planning.resolved_pipeline_file import Document
from tea_runner.core.planning.result_freshness import PipelineFreshness
from tea_runner.core.results.lineage import Lineage
from tea_runner.core.results.manifest import Row
from tea_runner.core.spec.problem import Problem
from tea_runner.core.spec.resource_allowance import ANY_RESOURCES, ResourceAllowance
from tea_runner.flow import explain as explaining
from tea_runner.flow.check_freshness import check_freshness
from tea_runner.flow.commit_reader import CommitReader, open_commit
from tea_runner.flow.lint_pipelines import lint_pipelines
from tea_runner.flow.resolve_pipeline import resolve_spec
from tea_runner.flow.signed_manifest_rows import row_signer
from tea_runner.flow.trace_lineage import LineageTracer
from tea_runner.flow.unsaved_commit import UnsavedFiles, unsaved_commit
from tea_runner.flow.verify_results_commit import CommitCheck, check_commit
from tea_runner.ports import Objects
from tests.twins.files import Content, mode_and_data
from tests.twins.lab import MemoryLab


def unsaved(
    lab: MemoryLab | None,
    files: Mapping[str, Content | None],
    allowed: ResourceAllowance = ANY_RESOURCES,
) -> CommitReader:
    """These files upon the tip of ``main``, or upon nothing, uncommitted."""
    changes: dict[str, UnsavedFiles | None] = {}
    for path, content in files.items():
        if content is None:
            changes[path] = None
            continue
        mode, data = mode_and_data(path, content)
        changes[path] = UnsavedFiles(mode, data.encode() if isinstance(data, str) else data)
    if lab is None:
        return unsaved_commit(None, None, changes, allowed)
    return unsaved_commit(lab.dataset.objects, lab.tip(), changes, allowed)


def lint(files: Mapping[str, Content | None], lab: MemoryLab | None = None) -> tuple[Problem, ...]:
    """Problems of these files upon the tip, or upon nothing."""
    return lint_pipelines(unsaved(lab, files))


def match(lab: MemoryLab, word: str) -> explaining.Match | None:
    """The datums that a word means at the tip of ``main``."""
    return explaining.find(lab.plan(), word, word)


def explain(lab: MemoryLab, pipeline: str, label: str, *, history: bool = True) -> Explanation:
    """Why a datum of the tip runs or does not; without *history* no other commit is at hand."""
    planned = lab.plan()
    (found,) = [each for each in planned.tip.pipelines if each.name == pipeline]
    return explaining.explain(
        planned,
        found,
        label,
        lambda commit: lab.view(commit) if history else None,
        lambda path: Made("c" * 40, f"made {path}"),
    )


def lineage(
    lab: MemoryLab, paths: Sequence[str], *, history: bool = True, tip: CommitReader | None = None
) -> Lineage:
    """What these files of the tip were made from."""
    return _tracer(lab, history=history).up(tip or lab.view(), list(paths))


def descendants(lab: MemoryLab, path: str) -> Lineage:
    """What was made from a file of the tip."""
    return _tracer(lab).down(lab.view(), path)


def _tracer(lab: MemoryLab, *, history: bool = True) -> LineageTracer:
    def records(tip: CommitReader, home: str) -> Mapping[str, Made]:
        if not history:
            return {}
        return last_commits(tip.tree.objects, tip.tree.commit, home)

    def open_tip(tip: CommitReader, commit: str) -> CommitReader | None:
        links = tip.tree.subdatasets
        return (
            open_commit(tip.tree.objects, commit, tip.tree.cache, subdatasets=links)
            if history
            else None
        )

    def signer(tip: CommitReader, home: str, row: Row) -> str:
        return row_signer(lab.dataset, tip.tree, home, row)

    return LineageTracer(records, open_tip, signer)


def last_commits(objects: Objects, commit: str, home: str) -> dict[str, Made]:
    """Each path below a directory with the first parent that last wrote it."""

    def entries(oid: str) -> dict[str, TreeEntry]:
        entry = lookup(objects.tree, objects.commit(oid).tree, home) if oid else None
        found = walk_tree(objects.tree, entry.oid, f"{home}/") if entry else ()
        return dict(found)

    found: dict[str, Made] = {}
    oid, now = commit, entries(commit)
    while oid:
        facts = objects.commit(oid)
        parent = facts.parents[0] if facts.parents else ""
        before = entries(parent)
        for path, entry in now.items():
            if path not in found and before.get(path) != entry:
                found[path] = Made(oid, facts.message.split("\n", 1)[0])
        oid = parent
    return found


def freshness(lab: MemoryLab, *only: str) -> list[PipelineFreshness]:
    """How the results at the tip of ``main`` relate to their inputs."""
    return check_freshness(lab.dataset, lab.view(), only)


def check(lab: MemoryLab, commit: str = "") -> CommitCheck:
    """Whether a results commit, or the tip of ``main``, is what its inputs and outputs make."""
    oid = commit or lab.tip()
    raw = lab.dataset.objects.raw(oid, "commit")
    assert raw is not None
    return check_commit(lab.dataset, oid, raw, links=lab.dataset.subdatasets)


def resolve(lab: MemoryLab, pipeline: str) -> Document:
    """The resolved specification of a pipeline at the tip of ``main``."""
    view = lab.view()
    (found,) = [each for each in view.pipelines if each.name == pipeline]
    return resolve_spec(view, found)
