"""What is remembered between commits of one repository, by object id: it can never be stale."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakValueDictionary

from tea_runner.core.datums.view import FileFact
from tea_runner.core.generational_cache import GenerationalCache
from tea_runner.core.git.tree import TreeEntry
from tea_runner.core.planning.plan import PipelinePlan
from tea_runner.core.results.manifest import Manifest, ManifestPiece
from tea_runner.core.spec.parse import ParsedSpecs
from tea_runner.flow.pipeline_set import PipelineSet

#: Rows of manifests that are remembered while nobody needs them; a thousand take a megabyte at most.
_ROWS = 20_000
#: Results commits whose origins are kept between two plans.
_COMMITS = 1_000


@dataclass
class PlanningCache:
    """What is remembered between commits of one repository, by object id."""

    #: Whether annexed inputs need a cryptographically safe hash.
    strict_hashes: bool = False

    #: Tree id to the paths of pipeline files below it.
    spec_paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Path and entry of a pipeline file to its parsed content.
    specs: dict[tuple[str, TreeEntry], ParsedSpecs] = field(default_factory=dict)
    #: All pipeline files of the commit read last, and their pipelines.
    pipelines: tuple[tuple[tuple[str, TreeEntry], ...], PipelineSet] | None = None
    #: Results commit to the pushed commit that it follows from.
    origins: GenerationalCache[str, str] = field(default_factory=GenerationalCache)
    #: (algorithm, mode, blob id) to what git knows of such a file; False where it is no usable input.
    facts: GenerationalCache[tuple[str, int, str], FileFact | Literal[False]] = field(
        default_factory=GenerationalCache
    )
    #: The caches of subdatasets, by the names of their repositories.
    subdatasets: dict[str, PlanningCache] = field(default_factory=dict)
    #: Ids of ``manifest.tsv`` and of ``manifest.d`` to the manifest.
    manifests: GenerationalCache[tuple[str, str], Manifest] = field(
        default_factory=lambda: GenerationalCache(lambda manifest: manifest.count + 1)
    )
    #: Blob id, number and count to the piece of a manifest, as long as somebody has it.
    pieces: WeakValueDictionary[tuple[str, int, int], ManifestPiece] = field(
        default_factory=WeakValueDictionary
    )
    #: Home tree to the manifest in it and its datums whose outputs are gone.
    lost: GenerationalCache[str, tuple[Manifest, tuple[str, ...]]] = field(
        default_factory=lambda: GenerationalCache(lambda found: found[0].count + 1)
    )
    #: A pipeline's name to the home tree and the manifest whose outputs were last seen to be all there.
    whole: dict[str, tuple[str, Manifest]] = field(default_factory=dict)
    #: A pipeline's name to the work that was derived of it last (:class:`Work`).
    works: dict[str, Any] = field(default_factory=dict)
    #: A pipeline's name to the stamp of its work, manifest and plan when it was settled last.
    settled: dict[str, tuple[object, Manifest, PipelinePlan]] = field(default_factory=dict)

    def of_subdataset(self, repository: str) -> PlanningCache:
        """The cache of a subdataset's repository."""
        return self.subdatasets.setdefault(repository, PlanningCache())

    def forget(self) -> None:
        """Let go of everything: what is remembered refers back to this, and would go late."""
        for each in vars(self).values():
            if isinstance(each, (dict, GenerationalCache, WeakValueDictionary)):
                each.clear()
        self.pipelines = None

    def evict_unused(self) -> None:
        """A piece of work is done: let go of manifests that it had no use for, when they are many.

        Memory does not grow with the history of a branch then.
        """
        self.manifests.evict(_ROWS)
        self.lost.evict(_ROWS)
        self.origins.evict(_COMMITS)
        for each in self.subdatasets.values():
            each.evict_unused()
