"""What all datums of a pipeline share: the command's code and environment, and their part of the keys."""

from __future__ import annotations

from dataclasses import dataclass

from tea_runner.core.datums.datum_keys import KeyBase, code_part, key_base
from tea_runner.core.errors import SpecError
from tea_runner.core.pipeline import Pipeline
from tea_runner.core.spec.datalad_containers import image_digest
from tea_runner.flow.code_files import CodeFiles
from tea_runner.flow.commit_reader import CommitReader
from tea_runner.flow.dataset_containers import container_path


@dataclass(frozen=True, kw_only=True)
class SharedInputs:
    """What all datums of a pipeline share, and so all of their keys."""

    base: KeyBase
    #: Files of the dataset that the command sees besides its inputs.
    code: tuple[str, ...] = ()
    #: Path of the container's image, if it is a file of the dataset; else empty.
    image: str = ""
    #: Paths by which links in code, or to the image, lead somewhere.
    through: tuple[str, ...] = ()
    #: Why links in code are not followed; commands do not see them.
    left_out: tuple[str, ...] = ()


def shared_inputs(tip: CommitReader, pipeline: Pipeline) -> SharedInputs:
    """The parts of the keys that do not depend on the datum.

    :raises UserError: when a file cannot be an input, or there is no such container.
    """
    code = CodeFiles(tip, pipeline)
    code.read()
    image, identity = environment_of(tip, pipeline)
    if image:
        code.note(tip.fact(image))
    push = tip.tree.origin if pipeline.reprocess == "every_job" else ""
    return SharedInputs(
        base=key_base(pipeline, identity, code.seen, push=push),
        code=tuple(file.path for file in code.seen),
        image=image,
        through=tuple(sorted(code.through)),
        left_out=tuple(code.left_out),
    )


def code_digest(tip: CommitReader, pipeline: Pipeline, *, documentation: bool) -> str:
    """Digest of a pipeline's code as it enters keys.

    :param documentation: whether files that document the code count as well.
    :raises UserError: see :func:`shared_inputs`.
    """
    code = CodeFiles(tip, pipeline, documentation=documentation)
    code.read()
    return code_part(code.seen)


def environment_of(tip: CommitReader, pipeline: Pipeline) -> tuple[str, tuple[str, ...]]:
    """The path of a pipeline's annexed image (or the empty text), and the identity of its environment.

    An image is identified by its content: the same bytes are the same environment under any name.

    :param pipeline: with its image by digest, see :func:`~tea_runner.flow.resolve_image.resolve_image`.
    """
    image = pipeline.transform.image
    if not image:
        software = pipeline.transform.software
        return "", ("host", software) if software else ("host",)
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
    return path, ("image", str(tip.locate(path).fact.content))
