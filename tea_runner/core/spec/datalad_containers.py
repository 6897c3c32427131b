"""Container images of a dataset, as datalad-container configures them.

datalad-container keeps ``[datalad "containers.NAME"]`` with ``image = PATH`` in ``.datalad/config``.
"""

from __future__ import annotations

import re

_SECTION = re.compile(r'^\s*\[datalad "containers\.(?P<name>[^"]+)"\]\s*$')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def image_digest(image: str) -> str:
    """The digest of a pinned image (``sha256:…``), or the empty string."""
    match = _DIGEST.search(image)
    return match[0] if match else ""


def container_image(config: bytes, name: str) -> str:
    """Path in the dataset of a container's image, or the empty string."""
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
