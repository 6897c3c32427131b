"""What all datums of a pipeline share: the command's code and environment, and their part of the keys."""

from __future__ import annotations

from dataclasses import dataclass

from tea_runner.core.datums.datum_keys import KeyBase, VisibleFile, key_base
from tea_runner.core.errors import SpecError
from tea_runner.core.git.tree import SUBMODULE, TREE
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.results import manifest_text
from tea_runner.core.results.reserved_names import CODE_FOLDER
from tea_runner.core.spec.code_patterns import CodePatterns
from tea_runner.core.spec.datalad_containers import image_digest
from tea_runner.core.spec.file_names import SPEC_NAMES
from tea_runner.flow.commit_view import CommitView
from tea_runner.flow.dataset_containers import container_path
from tea_runner.flow.nested_datasets import NestedDatasets
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.unusable_files import Unusable, UnusableFilesError


@dataclass(frozen=True, kw_only=True)
class SharedInputs:
    """What all datums of a pipeline share, and so all of their keys."""

    base: KeyBase
    #: Files of the dataset that the command sees besides its inputs.
    code: tuple[str, ...] = ()
    #: Path of the container's image, if it is a file of the dataset; else empty.
    image: str = ""


def shared_inputs(tip: CommitView, pipeline: Pipeline) -> SharedInputs:
    """The parts of the keys that do not depend on the datum.

    :raises UserError: when a file cannot be an input, or there is no such container.
    """
    code = _code(tip, pipeline)
    image, identity = environment_of(tip, pipeline)
    push = tip.tree.origin if pipeline.reprocess == "every_job" else ""
    return SharedInputs(
        base=key_base(pipeline, identity, [seen for _, seen in code], push=push),
        code=tuple(path for path, _ in code),
        image=image,
    )


def environment_of(tip: CommitView, pipeline: Pipeline) -> tuple[str, tuple[str, ...]]:
    """The path of a pipeline's annexed image (or the empty text), and the identity of its environment.

    An image is identified by its content: the same bytes are the same environment under any name.

    :param pipeline: with its image by digest, see :func:`~tea_runner.flow.pin_image.pin_image`.
    """
    image = pipeline.transform.image
    if not image:
        return "", ("host",)
    digest = image_digest(image)
    if digest:
        return "", ("image", digest)
    path = container_path(tip, image)
    if not path:
        raise SpecError(
            f"this dataset has no container {image}",
            hint="add it with datalad containers-add, or pin an image of a registry as "
            "name@sha256:…",
            file=pipeline.spec_path,
            line=pipeline.spec_line,
            key="transform.image",
        )
    return path, ("image", str(tip.fact(path).content))


def _code(tip: CommitView, pipeline: Pipeline) -> list[tuple[str, VisibleFile]]:
    """The files that the command sees besides its inputs: ``transform.code``, or the default."""
    patterns = CodePatterns(pipeline.transform)
    if patterns.uses_default:
        paths = _default_code(tip, pipeline)
    else:
        nested = NestedDatasets(
            lambda path: any(glob.reaches("/" + path) for glob in patterns.named),
            lambda path: any(glob.match("/" + path) for glob in patterns.named),
        )
        nested.collect(tip, tip.tree.root, "", ())
        nested.require_all("")
        paths = nested.found.files
    paths = [path for path in paths if not patterns.leaves_out(path)]
    seen, unusable = [], list[Unusable]()
    for path in paths:
        try:
            fact = tip.fact(path)
        except UnusableFilesError as error:
            unusable += error.files
        else:
            seen.append((path, VisibleFile(path, fact.executable, fact.content)))
    if unusable:
        raise UnusableFilesError(unusable)
    return seen


def _default_code(tip: CommitView, pipeline: Pipeline) -> list[str]:
    """Files below ``code/``, and files beside the pipeline file that are not results."""
    paths = []
    code = tip.tree.entry(CODE_FOLDER)
    if code is not None and code.mode in (TREE, SUBMODULE):
        nested = NestedDatasets(lambda _: True, lambda _: True)
        if code.mode == SUBMODULE:
            nested.add(tip, CODE_FOLDER, "")
        else:
            nested.collect(tip, code.oid, CODE_FOLDER, ())
        nested.require_all(CODE_FOLDER)
        paths += [f"{CODE_FOLDER}/{path}" for path in nested.found.files]
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
        paths += [path for path in found if path in left and path not in known]
    return sorted(paths, key=_byte_order)


def _byte_order(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
