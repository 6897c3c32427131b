"""Pipeline files as text, for labs: commands that count their own executions, in as few words as can be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.e2e.lab import Lab

#: Data is annexed, all else is kept in git.
ATTRIBUTES = {
    ".gitattributes": "* annex.backend=MD5E\n* annex.largefiles=nothing\n"
    "raw/** annex.largefiles=anything\n*.big annex.largefiles=anything\n"
}

#: Copies each input file to the output under its own path.
COPY = (
    'cd "$PFS/in" && find . -type f | while read -r f; do '
    'mkdir -p "$PFS/out/$(dirname "$f")" && cat "$f" > "$PFS/out/$f"; done'
)


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


class Step(NamedTuple):
    """What one push led to."""

    #: Commands that were executed, as they counted themselves.
    ran: int
    #: Whether a results commit was made.
    moved: bool
    state: str


def push(
    lab: Lab,
    count: Callable[[], int],
    files: Mapping[str, str | None] | None = None,
    *hosts: str,
    branch: str = "main",
) -> Step:
    """Save these files, push, let the server work until nothing waits, and bring the results here."""
    lab.write(files or {})
    lab.save()
    pushed = lab.push()
    count()
    run = lab.settle(*hosts, branch=branch)
    ran = count()
    return Step(ran, lab.pull() != pushed, run.state if run else "no run")


def tree(lab: Lab, *homes: str) -> dict[str, str]:
    """Path and content of all results below these directories at HEAD."""
    found = {}
    for home in homes:
        for line in lab.git("ls-tree", "-r", "-z", "HEAD", home + "/").split("\0"):
            if line:
                words, path = line.split("\t", 1)
                name = path.rsplit("/", 1)[-1]
                if name not in ("spec.yml", "manifest.tsv") and "/manifest.sig/" not in path:
                    found[path] = lab.git("cat-file", "blob", words.split()[2])
    return found
