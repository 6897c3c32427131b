"""Pipeline files as text, in as few words as possible."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def pfs(repo: str = "raw", glob: str = "/*", name: str = "in", **more: object) -> dict[str, object]:
    """A pfs input called ``in``."""
    return {"pfs": {"name": name, "repo": repo, "glob": glob, **more}}


def spec(
    name: str,
    source: Mapping[str, object] | None = None,
    *,
    cmd: Sequence[str] = ("make-it",),
    transform: Mapping[str, object] | None = None,
    **more: object,
) -> str:
    """A pipeline file; *more* are fields of the top level."""
    document = {
        "pipeline": {"name": name},
        "input": source or pfs(),
        "transform": {"cmd": list(cmd), **(transform or {})},
        **more,
    }
    return json.dumps(document, indent=1) + "\n"


def gitmodules(**urls: str) -> str:
    """A ``.gitmodules`` with these paths and URLs."""
    return "".join(
        f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, url in urls.items()
    )
