"""A registry in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from tea_runner.core.errors import OutsideError, Refused


@dataclass
class MemoryImages:
    """Tags with their digests; see :class:`tea_runner.ports.Images`."""

    #: As in pipeline files, to the image by its digest.
    tags: dict[str, str] = field(default_factory=dict)
    is_down: bool = False

    def digest(self, image: str, recorded: str) -> str:
        """See :meth:`tea_runner.ports.Images.digest`."""
        if self.is_down and not recorded:
            raise OutsideError("registry example.org does not answer")
        if self.is_down:
            return recorded
        if image not in self.tags:
            raise Refused(f"registry example.org has no image {image}")
        return self.tags[image]
