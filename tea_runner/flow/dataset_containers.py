"""Images that the dataset itself has, by datalad-container."""

from __future__ import annotations

from tea_runner.core.spec.datalad_containers import container_image
from tea_runner.flow.commit_reader import CommitReader


def container_path(tip: CommitReader, name: str) -> str:
    """Path of a container's image in the dataset or in a subdataset; empty when there is no such one.

    Containers of a subdataset are called ``PATH/NAME``, as ``datalad containers-list --recursive`` does.

    :raises UserError: when the subdataset may not or cannot be read.
    """
    path = container_image(tip.tree.blob_at(".datalad/config") or b"", name)
    for folder in sorted(tip.tree.submodules, key=len, reverse=True):
        if not path and name.startswith(f"{folder}/"):
            inner = container_path(tip.resolve(folder)[0], name[len(folder) + 1 :])
            path = f"{folder}/{inner}" if inner else ""
    return path
