"""The operator's decisions about images of containers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from tea_runner.core.errors import Refused
from tea_runner.core.spec.image_reference import ImageReference

#: refuse: only digests; resolve: at each plan; once: as long as the results have one.
TagPolicy = Literal["refuse", "resolve", "once"]
PullPolicy = Literal["missing", "never"]

_PLAIN = "http://"


class ImageNotFound(Refused):
    """The registry has no such image, or does not show it to this user."""


@dataclass(frozen=True, kw_only=True)
class ImagePolicy:
    """Which images pipelines may use, and where they come from."""

    tags: TagPolicy = "resolve"
    #: Whether workers pull images that their engine does not have.
    pull: PullPolicy = "never"
    #: Names for pipelines, to the names of images.
    names: Mapping[str, str] = field(default_factory=dict)
    #: Patterns of registries' hosts that may be asked, and from which images are pulled; with ``http://``
    #: before it, one without encryption.
    registries: tuple[str, ...] = ("*",)

    def allows(self, image: ImageReference) -> bool:
        """Whether an image's registry may be asked."""
        patterns = (pattern.removeprefix(_PLAIN) for pattern in self.registries)
        return any(fnmatchcase(image.host, pattern) for pattern in patterns)

    def may_pull(self, image: ImageReference) -> bool:
        """Whether a worker may pull an image."""
        return self.pull == "missing" and self.allows(image)

    @property
    def plain(self) -> frozenset[str]:
        """Hosts of registries without encryption."""
        return frozenset(each.removeprefix(_PLAIN) for each in self.registries if _PLAIN in each)


def parse_names(rows: tuple[str, ...]) -> dict[str, str]:
    """The names of images in ``images.names``, each ``NAME=IMAGE``.

    :raises ValueError: with the row that is none.
    """
    names = {}
    for row in rows:
        name, equals, image = (part.strip() for part in row.partition("="))
        if not (name and equals and image):
            raise ValueError(row)
        names[name] = image
    return names


NO_IMAGES = ImagePolicy(tags="refuse", registries=())
