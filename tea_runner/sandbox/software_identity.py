"""Identity of the software that commands without an image see: the operator's word, or installed packages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from tea_runner.core.errors import SettingsError

#: The word for the packages of a Python environment.
PYTHON = "python"
_WORD = re.compile(r"[A-Za-z0-9._:+-]{1,100}")
#: Files that describe an installed package by name and version in their own names: of pip, and of conda.
_PACKAGES = (
    "lib/python*/site-packages/*.dist-info",
    "lib/python*/site-packages/*.egg-info",
    "conda-meta/*.json",
)


def software_identity(word: str, path: str) -> str:
    """The identity that goes into keys and manifests; empty for none.

    :param word: ``sandbox.identity`` of the settings.
    :param path: PATH of commands.
    :raises SettingsError: when the word has other characters than names of versions have.
    """
    if word and not _WORD.fullmatch(word):
        raise SettingsError(
            f"sandbox.identity is {word!r}", hint="write up to 100 of A-Z a-z 0-9 . _ : + -"
        )
    return _python_identity(path) if word == PYTHON else word


def _python_identity(path: str) -> str:
    """``python:`` and 16 hex digits of the names and versions of all packages; only names are read.

    Of an environment that is edited in place (``pip install -e``) the code itself is not in it.
    """
    root = next(_environments(path), None)
    if root is None:
        return f"{PYTHON}:none"
    names = {found.name for pattern in _PACKAGES for found in root.glob(pattern)}
    names |= {found.parent.name for found in root.glob("lib/python*/site-packages")}
    config = root / "pyvenv.cfg"
    lines = config.read_text("utf-8", "replace").splitlines() if config.is_file() else []
    names |= {line.replace(" ", "") for line in lines if line.startswith("version")}
    text = "\n".join(sorted(names))
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{PYTHON}:{digest[:16]}"


def _environments(path: str) -> Iterator[Path]:
    """Roots of Python environments whose ``bin`` is in a PATH."""
    for folder in filter(None, path.split(":")):
        root = Path(folder).parent
        if (root / "pyvenv.cfg").is_file() or (root / "conda-meta").is_dir():
            yield root
