"""Names of container images: ``[host[:port]/]path[:tag][@digest]``, as Docker and Podman read them.

A name without a host is one of Docker Hub, and a name without a tag has the tag ``latest``
(distribution/reference, ``normalize.go``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tea_runner.core.errors import Refused

DEFAULT_HOST = "docker.io"

_HOST = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?")
_PART = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
#: Longest name without tag and digest.
_MOST = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageReference:
    """The name of an image, with every default."""

    #: With the port, if it has one.
    host: str
    path: str
    tag: str
    #: ``sha256:…``, or the empty text.
    digest: str = ""

    @property
    def name(self) -> str:
        """Host and path."""
        return f"{self.host}/{self.path}"

    def at(self, digest: str) -> str:
        """The name of the image with this digest; without the tag, which Podman refuses beside it."""
        return f"{self.name}@{digest}"

    def __str__(self) -> str:
        return self.at(self.digest) if self.digest else f"{self.name}:{self.tag}"


def parse_image(text: str) -> ImageReference | None:
    """The parts of an image's name; None for a text that is none."""
    named, at, digest = text.partition("@")
    above, slash, last = named.rpartition("/")
    last, colon, tag = last.partition(":")
    name = above + slash + last
    host, slash, path = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = DEFAULT_HOST, name
    if host in ("index.docker.io", DEFAULT_HOST):
        host = DEFAULT_HOST
        path = path if "/" in path else f"library/{path}"
    valid = (
        len(host) + len(path) < _MOST
        and _HOST.fullmatch(host)
        and all(map(_PART.fullmatch, path.split("/")))
        and (not colon or _TAG.fullmatch(tag))
        and (not at or _DIGEST.fullmatch(digest))
    )
    if not valid:
        return None
    # A name with a digest alone has no tag.
    return ImageReference(host=host, path=path, tag=tag or ("" if at else "latest"), digest=digest)


def refuse_without_digest(image: str) -> Refused:
    """The error for an image whose name has no digest, where tags do not count."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", image):
        return Refused(
            f"this dataset has no container {image}",
            hint="add it with datalad containers-add, or pin an image of a registry as "
            "name@sha256:…",
        )
    return Refused(
        f"image {image!r} has no digest, so its content may change",
        hint="write name@sha256:…, as tea-runner pin does",
    )
