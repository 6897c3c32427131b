"""Pipeline files as text, for labs: commands that count their own executions, in as few words as can be."""

from __future__ import annotations

import json
from collections.abc import Mapping

#: Data is annexed, all else is kept in git.
ATTRIBUTES = {
    ".gitattributes": "* annex.backend=MD5E\n* annex.largefiles=nothing\n"
    "raw/** annex.largefiles=anything\n*.big annex.largefiles=anything\n"
}

#: Copies each input file to the output under its own path.
COPY = 'cd "$PFS/in" && find . -type f | while read -r f; do mkdir -p "$PFS/out/$(dirname "$f")" && cat "$f" > "$PFS/out/$f"; done'


def pfs(repo: str = "raw", glob: str = "/*", **more: object) -> dict[str, object]:
    """An input called ``in``."""
    return {"pfs": {"name": "in", "repo": repo, "glob": glob, **more}}


def spec(
    name: str,
    command: str,
    source: Mapping[str, object] | None = None,
    *,
    transform: Mapping[str, object] | None = None,
    **more: object,
) -> str:
    """A pipeline file whose command is this shell text; *more* are fields of the top level."""
    document = {
        "pipeline": {"name": name},
        "input": source or pfs(),
        "transform": {"cmd": ["sh", "-euc", command], **(transform or {})},
        **more,
    }
    return json.dumps(document, indent=1) + "\n"
