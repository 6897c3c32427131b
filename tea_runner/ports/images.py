"""The port of container images: which content a name has."""

from __future__ import annotations

from typing import Protocol


class Images(Protocol):
    """Finds the digests of images that pipelines name without one."""

    def digest(self, image: str, recorded: str) -> str:
        """An image by its digest: ``name@sha256:…``, or ``sha256:…`` for one that no registry has.

        :param image: as in the pipeline file.
        :param recorded: the answer with which the results in the tree were made, or the empty text.
        :raises Refused: when the operator does not allow the image, or it does not exist.
        :raises OutsideError: when the registry does not answer, and nothing is recorded.
        """
        ...
