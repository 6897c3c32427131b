"""The dataset as its folder is now, with unsaved changes, for verbs that look at pipeline files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.cli.main import Context
from tea_runner.cli.reading_progress import progress_line
from tea_runner.core.errors import NotFound, OutsideError, SettingsError
from tea_runner.core.spec.resource_allowance import ANY_RESOURCES, ResourceAllowance
from tea_runner.core.spec.unmet_needs import Offer
from tea_runner.dataset.local_clone import (
    CloneRepository,
    CloneSubdatasets,
    clone_environment,
    find_clone,
)
from tea_runner.dataset.unsaved_files import everything, unsaved
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.unsaved_commit import UnsavedFiles, unsaved_commit
from tea_runner.host.tool_search_path import tool_variables
from tea_runner.ports import Images


@dataclass(frozen=True)
class Draft:
    """The commit that the folder would make."""

    top: Path
    view: CommitReader
    #: Paths of unsaved files; None for a file that was deleted.
    changed: Mapping[str, object | None] = field(default_factory=dict)
    #: Without it, the folder is no repository.
    repository: CloneRepository | None = None

    @property
    def specs(self) -> tuple[str, ...]:
        """Paths of its pipeline files."""
        names = {pipeline.spec_path for pipeline in self.view.pipelines.written}
        names |= {problem.file for problem in self.view.pipelines.problems}
        return tuple(sorted(names))


@contextmanager
def open_draft(context: Context) -> Iterator[Draft]:
    """The dataset of the command line's folder; without a repository, the folder itself."""
    variables = {**context.variables, **tool_variables(context.variables)}
    allowed, images, offer = _site_parts(context)
    try:
        folders = find_clone(context.directory, variables)
    except (NotFound, OutsideError):
        top = context.directory.resolve()
        view = unsaved_commit(
            None, None, _files(everything(top)), allowed, images=images, offer=offer
        )
        yield Draft(top, view)
        return
    top = folders.worktree
    environment = clone_environment(variables, top)
    mirror = CloneRepository(folders, environment)
    subdatasets = CloneSubdatasets(top, variables)
    try:
        with progress_line(context, lambda: mirror.objects.reads):
            head = mirror.git("rev-parse", "-q", "--verify", "HEAD^{commit}", check=False)
            parent = head.decode().strip() or None
            changed = unsaved(top, environment.variables)
            files = _files(changed)
            view = unsaved_commit(
                mirror.objects, parent, files, allowed, subdatasets, images, offer
            )
            yield Draft(top, view, changed, mirror)
    finally:
        subdatasets.close()
        mirror.close()


def _site_parts(context: Context) -> tuple[ResourceAllowance, Images | None, Offer | None]:
    """What the settings say, where there are settings: a linter also runs without a home."""
    try:
        site = context.site
        return site.allowed_resources, site.images, site.offer
    except SettingsError:
        return ANY_RESOURCES, None, None


def _files(found: Mapping[str, tuple[int, bytes | None] | None]) -> dict[str, UnsavedFiles | None]:
    return {path: UnsavedFiles(*entry) if entry else None for path, entry in found.items()}
