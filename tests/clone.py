"""A clone that tests commit in and push from, with plain git."""

from __future__ import annotations

import os
from pathlib import Path

from tea_runner.host import process


class Clone:
    """A repository with a work tree, pushing to one address."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, check: bool = True) -> str:
        """Run git here; returns what it wrote, errors included."""
        env = {
            name: os.environ[name]
            for name in os.environ
            if name.startswith(("PATH", "HOME", "GIT_"))
        }
        done = process.run(["git", *arguments], env=env, cwd=self.path, check=check)
        return (done.stdout + done.stderr).decode("utf-8", "replace").strip()

    def commit(self, name: str, text: str = "x", *, message: str = "") -> str:
        """Write a file and commit it; returns the commit's id."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.git("add", "--", name)
        self.git("commit", "-q", "-m", message or f"change {name}")
        return self.git("rev-parse", "HEAD")

    def push(self, *refs: str, check: bool = True) -> str:
        """Push; returns what git said."""
        return self.git("push", self.url, *(refs or ("main",)), check=check)
