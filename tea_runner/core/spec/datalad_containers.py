"""What a dataset says of its containers in; which file is the image, and what identifies it, out.

datalad-container keeps ``[datalad "containers.NAME"]`` with ``image = PATH`` in ``.datalad/config``.
"""

from __future__ import annotations

import re

_SECTION = re.compile(r'^\s*\[datalad "containers\.(?P<name>[^"]+)"\]\s*$')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def image_digest(image: str) -> str:
    """The digest by which an image of a registry is pinned, or the empty text."""
    match = _DIGEST.search(image)
    return match[0] if match else ""


def container_image(config: bytes, name: str) -> str:
    """Path in the dataset of a container's image, or the empty text where there is none."""
    inside = False
    for line in config.decode("utf-8", "replace").splitlines():
        section = _SECTION.match(line)
        if section:
            inside = section["name"] == name
        elif line.lstrip().startswith("["):
            inside = False
        elif inside:
            key, equals, value = line.partition("=")
            if equals and key.strip() == "image":
                return value.strip().strip('"')
    return ""
