"""Secrets of a pipeline in its outputs, which everybody who may read the repository could read."""

from __future__ import annotations

from tea_runner.core.redact import Redactor
from tea_runner.dataset.save_outputs import FileToSave


def leaks(finder: Redactor, output: FileToSave) -> bool:
    """Whether an output contains a secret, in its name or in its content."""
    if finder.contains_secret(f"{output.path}\0{output.link}".encode("utf-8", "surrogateescape")):
        return True
    if output.link or not finder.has_secrets:
        return False
    with output.file.open("rb") as file:
        before = b""
        while chunk := file.read(1 << 20):
            if finder.contains_secret(before + chunk):
                return True
            before = (before + chunk)[-finder.longest_secret :]
    return False
