"""The files that a pipeline's command sees besides its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tea_runner.core.datums.datum_keys import VisibleFile
from tea_runner.core.datums.file_fact import FileFact, InputLinks, LinkedFile
from tea_runner.core.errors import SpecError
from tea_runner.core.git.tree import LINK, SUBMODULE, TREE
from tea_runner.core.glob.matcher import Glob
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results import manifest_text
from tea_runner.core.results.reserved_names import CODE_FOLDER
from tea_runner.core.spec.code_patterns import CodePatterns
from tea_runner.core.spec.pipeline_file_names import SPEC_NAMES
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.linked_folders import LinkedFolders
from tea_runner.flow.links_into_results import links_into_results
from tea_runner.flow.nested_datasets import NestedDatasets
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.unusable_files import Unusable, UnusableFilesError


class CodeFiles:
    """The files that a command sees besides its inputs: ``transform.code``, or the default.

    :param documentation: whether files that document the code count as well.
    """

    def __init__(
        self, tip: CommitReader, pipeline: Pipeline, *, documentation: bool = False
    ) -> None:
        self._tip = tip
        self._documentation = documentation
        self._pipeline = pipeline
        self._links = InputLinks()
        self.seen: list[VisibleFile] = []
        self.through: set[str] = set()
        self.left_out: list[str] = []

    def note(self, fact: FileFact) -> None:
        """Keep the way of a link."""
        if isinstance(fact, LinkedFile):
            self.through.update(fact.through)

    def read(self) -> None:
        """Find the files and their facts.

        :raises UserError: when one cannot be an input, or a link cannot be followed that is declared.
        """
        tip, pipeline = self._tip, self._pipeline
        patterns = CodePatterns(pipeline.transform)
        paths = (
            _default_code(tip, pipeline, self._links)
            if patterns.uses_default
            else _declared_code(tip, patterns.named, self._links)
        )
        paths = [path for path in paths if not patterns.leaves_out(path, self._documentation)]
        unusable = list[Unusable]()
        for path in paths:
            if path in self._links.refused:
                self.left_out.append(self._links.refused[path].problem)
                continue
            try:
                fact = tip.fact(path)
            except UnusableFilesError as error:
                unusable += error.files
                continue
            self.note(fact)
            problem = self._problem(fact)
            if problem:
                self.left_out.append(problem)
            else:
                self.seen.append(VisibleFile(path, fact.executable, fact.content))
        self.through.update(path for way in self._links.dependencies for path in way)
        if unusable:
            raise UnusableFilesError(unusable)
        if self.left_out and not patterns.uses_default:
            raise SpecError(
                "; ".join(self.left_out),
                file=pipeline.spec_path,
                line=pipeline.spec_line,
                key="transform.code",
            )

    def _problem(self, fact: FileFact) -> str:
        if not isinstance(fact, LinkedFile):
            return ""
        return fact.problem or links_into_results(self._tip, self._pipeline, [fact.through])


def _declared_code(tip: CommitReader, globs: Sequence[Glob], links: InputLinks) -> list[str]:
    """Files that globs of ``transform.code`` match."""
    nested = NestedDatasets(
        lambda path: any(glob.reaches("/" + path) for glob in globs),
        lambda path: any(glob.match("/" + path) for glob in globs),
        lambda path: any(glob.goes_below("/" + path) for glob in globs),
    )
    nested.collect(tip, tip.tree.root, "", ())
    nested.require_all("")
    found = nested.found
    folders = LinkedFolders(
        tip=tip, prefix="", links=links, reaches=nested.reaches, wants=nested.wants
    )
    # A link to a folder is no file, as a folder is none.
    matched = [path for path in found.files if _is_plain_link(tip, path)]
    return sorted(folders.expand(found.files, {*found.links, *matched}), key=_byte_order)


def _default_code(tip: CommitReader, pipeline: Pipeline, links: InputLinks) -> list[str]:
    """Files below ``code/``, and files beside the pipeline file that are not results."""
    paths = []
    code = tip.tree.entry(CODE_FOLDER)
    if code is not None and code.mode in (TREE, SUBMODULE):
        nested = NestedDatasets(lambda _: True, lambda _: True, lambda _: True)
        if code.mode == SUBMODULE:
            nested.add(tip, CODE_FOLDER, "")
        else:
            nested.collect(tip, code.oid, CODE_FOLDER, ())
        nested.require_all(CODE_FOLDER)
        paths += [f"{CODE_FOLDER}/{path}" for path in nested.found.files]
        linked = [f"{CODE_FOLDER}/{path}" for path in nested.found.links]
        paths = _with_folders(tip, paths, linked, links)
    elif code is not None and code.mode == LINK:
        paths = _with_folders(tip, [], [CODE_FOLDER], links)
    beside = pipeline.spec_path.rpartition("/")[0]
    home = tip.tree.entry(beside)
    if home is not None and home.mode == TREE and beside:
        found = [
            f"{beside}/{name}"
            for name, entry in tip.tree.objects.tree(home.oid).items()
            if entry.mode not in (TREE, SUBMODULE)
            and not (name in SPEC_NAMES or name == manifest_text.NAME or name.startswith(".git"))
        ]
        left = set(found)
        for other in tip.pipelines if found else ():
            prefix = other.home + "/" if other.home else ""
            if beside.startswith(other.home):
                below = (path[len(prefix) :] for path in left if path.startswith(prefix))
                owned = read_manifest(tip.tree, other.home).owned(below)
                left.difference_update(prefix + path for path in owned)
        known = set(paths)
        mine = [path for path in found if path in left and path not in known]
        linked = [path for path in mine if _is_plain_link(tip, path)]
        paths += _with_folders(tip, mine, linked, links) if linked else mine
    return sorted(set(paths), key=_byte_order)


def _with_folders(
    tip: CommitReader, paths: list[str], linked: Iterable[str], links: InputLinks
) -> list[str]:
    folders = LinkedFolders(tip=tip, prefix="", links=links, wants=lambda _: True)
    return folders.expand(paths, linked)


def _is_plain_link(tip: CommitReader, path: str) -> bool:
    view, rest = tip.resolve(path)
    entry = view.tree.entry(rest)
    return entry is not None and view.files.target(entry) is not None


def _byte_order(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
