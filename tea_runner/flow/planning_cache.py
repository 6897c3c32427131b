"""Cache of one repository by object id, which is valid for all of its commits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakValueDictionary

from tea_runner.core.datums.file_fact import FileFact
from tea_runner.core.generational_cache import GenerationalCache
from tea_runner.core.git.tree import TreeEntry
from tea_runner.core.results.manifest import Manifest, ManifestPiece
from tea_runner.core.results.manifest_statement import SignatureFile
from tea_runner.core.spec.parse import ParsedSpecs
from tea_runner.core.spec.resource_allowance import ANY_RESOURCES, ResourceAllowance
from tea_runner.core.spec.unmet_needs import Offer
from tea_runner.flow.offline_image_lookup import RecordedImages
from tea_runner.flow.pipeline_set import PipelineSet
from tea_runner.ports import Images

#: Rows of manifests that are cached between two plans; a thousand take a megabyte at most.
_ROWS = 20_000
#: Results commits whose origins are kept between two plans.
_COMMITS = 1_000
#: Path and entry of each pipeline file.
SpecFiles = tuple[tuple[str, TreeEntry], ...]


@dataclass
class PlanningCache:
    """Values by object id, kept between commits of one repository."""

    #: Whether annexed inputs need a cryptographically safe hash.
    strict_hashes: bool = False
    #: The most that pipelines may ask for.
    allowed: ResourceAllowance = ANY_RESOURCES
    #: What this machine gives to commands; None where others run them.
    offer: Offer | None = None
    #: Identity of the software that commands without an image see; None takes the one that the
    #: manifest records.
    software: str | None = None
    #: Finds the digests of images.
    images: Images = field(default_factory=RecordedImages)

    #: Tree id to the pipeline files below it.
    spec_files: dict[str, SpecFiles] = field(default_factory=dict)
    #: Path and entry of a pipeline file to its parsed content.
    specs: dict[tuple[str, TreeEntry], ParsedSpecs] = field(default_factory=dict)
    #: All pipeline files of the commit read last, and their pipelines.
    pipelines: tuple[SpecFiles, PipelineSet] | None = None
    #: Results commit to the pushed commit that it follows from.
    origins: GenerationalCache[str, str] = field(default_factory=GenerationalCache)
    #: Commit and path to whether the path was a folder in a commit before.
    deleted_folders: dict[tuple[str, str], bool] = field(default_factory=dict)
    #: (algorithm, mode, blob id) to the facts about such a file, or the target of such a symlink; False
    #: where it cannot be an input.
    facts: GenerationalCache[tuple[str, int, str], FileFact | str | Literal[False]] = field(
        default_factory=GenerationalCache
    )
    #: The caches of subdatasets, by the names of their repositories.
    subdatasets: dict[str, PlanningCache] = field(default_factory=dict)
    #: Ids of ``manifest.tsv`` and of ``manifest.d`` to the manifest.
    manifests: GenerationalCache[tuple[str, str], Manifest] = field(
        default_factory=lambda: GenerationalCache(lambda manifest: manifest.count + 1)
    )
    #: Signature of a manifest to the name of its trusted signer, or the empty text.
    signers: GenerationalCache[SignatureFile, str] = field(default_factory=GenerationalCache)
    #: Blob id, number and count to the piece of a manifest, as long as a manifest uses it.
    pieces: WeakValueDictionary[tuple[str, int, int], ManifestPiece] = field(
        default_factory=WeakValueDictionary
    )

    def of_subdataset(self, repository: str) -> PlanningCache:
        """The cache of a subdataset's repository."""
        return self.subdatasets.setdefault(
            repository, PlanningCache(strict_hashes=self.strict_hashes)
        )

    def clear(self) -> None:
        """Release everything at once; reference cycles would keep it until a garbage collection."""
        for each in vars(self).values():
            if isinstance(each, (dict, GenerationalCache, WeakValueDictionary)):
                each.clear()
        self.pipelines = None

    def evict_unused(self) -> None:
        """Evict what the last plan did not use, so that memory does not grow with the history."""
        self.manifests.evict(_ROWS)
        self.origins.evict(_COMMITS)
        self.signers.evict(_COMMITS)
        for each in self.subdatasets.values():
            each.evict_unused()
