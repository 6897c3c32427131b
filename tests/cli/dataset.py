"""A small dataset in which tests run the real command, as a person would in a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path

#: One datum per entry of ``raw``; each result is the input in capitals.
SHOUT = """\
pipeline:
  name: shout
input:
  pfs:
    name: in
    repo: raw
    glob: "/*"
transform:
  cmd: ["sh", "shout/shout.sh"]
"""
SCRIPT = 'cd "$PFS/in" && for f in *; do tr a-z A-Z <"$f" >"$PFS/out/$f"; done\n'
#: One datum over all results of ``shout``.
TABLE = """\
pipeline:
  name: table
input:
  pfs:
    name: in
    repo: shout
    glob: "/"
transform:
  cmd: ["sh", "-c", "cat $PFS/in/* >$PFS/out/table.txt"]
"""
FILES = {
    "raw/a.txt": "aa\n",
    "raw/b.txt": "bb\n",
    "shout/spec.yml": SHOUT,
    "shout/shout.sh": SCRIPT,
    "table/spec.yml": TABLE,
}


class Said(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it wrote as results."""
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        """The same, read as JSON."""
        return json.loads(self.out)


def tea(
    folder: Path, *words: str, env: Mapping[str, str] | None = None, stdin: bytes = b""
) -> Said:
    """Run ``tea-runner`` in a process of its own; a traceback or a bug report fails the test."""
    variables = {name: os.environ[name] for name in ("HOME", "PATH", "GIT_CONFIG_GLOBAL")}
    variables.update({"TEA_RUNNER_SANDBOX__KIND": "off", **(env or {})})
    argv = [sys.executable, "-m", "tea_runner", *words]
    done = process.run(argv, env=variables, cwd=folder, stdin=stdin, check=False)
    said = Said(
        done.returncode,
        done.stdout.decode("utf-8", "surrogateescape"),
        done.stderr.decode("utf-8", "surrogateescape"),
    )
    assert "Traceback" not in said.out + said.err, said
    assert said.code != 3, said
    return said


class Dataset:
    """A git repository with git-annex in it, without the second that DataLad takes to start."""

    def __init__(self, path: Path, files: Mapping[str, str] | None = None) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.do("git", "init", "-q")
        self.do("git", "annex", "init", "-q", "test")
        if files is not None:
            self.write({".gitattributes": "* annex.largefiles=nothing\n", **files})
            self.save()

    def do(self, *argv: str) -> str:
        """Run a program here."""
        env = {**os.environ, "PATH": tool_path(os.environ)}
        return process.run(argv, env=env, cwd=self.path).stdout.decode().strip()

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files; None removes one."""
        for name, text in files.items():
            path = self.path / name
            path.unlink(missing_ok=True)
            if text is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def save(self, files: Mapping[str, str | None] | None = None, message: str = "save") -> str:
        """Write and commit; returns the commit."""
        self.write(files or {})
        self.do("git", "add", "-A")
        self.do("git", "commit", "-q", "-m", message)
        return self.do("git", "rev-parse", "HEAD")

    def tea(self, *words: str, **more: Any) -> Said:
        """Run ``tea-runner`` here."""
        return tea(self.path, *words, **more)
