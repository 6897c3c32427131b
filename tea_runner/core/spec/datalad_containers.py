"""Container images of a dataset, as datalad-container configures them.

datalad-container keeps ``[datalad "containers.NAME"]`` with ``image = PATH`` in ``.datalad/config``.
"""

from __future__ import annotations

import re

from tea_runner.core.git.config_text import parse_config

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def image_digest(image: str) -> str:
    """The digest of a pinned image (``sha256:…``), or the empty string."""
    match = _DIGEST.search(image)
    return match[0] if match else ""


def container_image(config: bytes, name: str) -> str:
    """Path in the dataset of a container's image, or the empty string."""
    found = ""
    for section, subsection, key, value in parse_config(config):
        if (section, subsection, key) == ("datalad", f"containers.{name}", "image"):
            found = value
    return found
