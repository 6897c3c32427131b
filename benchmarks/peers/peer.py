"""What every peer does: the same transform on a copy of the same dataset, first, again, after a change."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path

#: Where the peers' own environments are made; kept between runs.
VENVS = Path(__file__).parents[2] / "build" / "peers"


class Peer:
    """One tool, at work in a copy of its own."""

    name = ""
    #: Packages of PyPI; none where the tool is there already.
    packages: tuple[str, ...] = ()
    #: What has to be known to read its numbers.
    note = ""
    #: How many datums it is given, where all would take too long; None for all.
    count: int | None = None

    def __init__(self, room: Path) -> None:
        self.room = room
        self.place = room / "work"
        path = tool_path(os.environ)
        if self.packages:
            path = f"{self.venv / 'bin'}:{path}"
        self.env = {
            **os.environ,
            "PATH": path,
            "HOME": str(room),
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b",
        }

    @property
    def venv(self) -> Path:
        """Its environment."""
        return VENVS / self.name.split()[0].lower()

    def problem(self) -> str:
        """Why it cannot be measured here, or nothing; installs it where that is possible."""
        if not self.packages or (self.venv / "ready").exists():
            return ""
        shutil.rmtree(self.venv, ignore_errors=True)
        self.venv.parent.mkdir(parents=True, exist_ok=True)
        python = os.path.realpath(shutil.which("python3") or "python3")
        try:
            process.run([python, "-m", "venv", str(self.venv)], env=os.environ)
            pip = [str(self.venv / "bin" / "python"), "-m", "pip", "install", "-q"]
            process.run([*pip, *self.packages], env=os.environ, timeout=900)
        except Exception as error:
            return f"could not be installed: {str(error).splitlines()[0][:120]}"
        (self.venv / "ready").touch()
        return ""

    def begin(self, dataset: Path) -> None:
        """A copy of the dataset, and what the tool needs in it; not measured."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.room.mkdir(parents=True, exist_ok=True)
        process.run(["cp", "-a", str(dataset), str(self.place)], env=self.env)

    def run(self) -> None:
        """Bring all results up to date."""
        raise NotImplementedError

    def change(self) -> None:
        """Another content of one input, saved; not measured."""
        path = self.place / "in" / "f00000.txt"
        path.unlink()
        path.write_text(f"changed {time.time_ns()}\n")
        self.do("git", "annex", "add", "--quiet", "in/f00000.txt")
        self.do("git", "commit", "-q", "-m", "change")

    def do(self, *argv: str, check: bool = True, stdin: bytes = b"") -> bytes:
        """Run a program in the copy."""
        done = process.run(
            argv, env=self.env, cwd=self.place, timeout=3600, check=check, stdin=stdin
        )
        return bytes(done.stdout)

    def names(self) -> Sequence[str]:
        """The inputs it works on, without their extension."""
        return sorted(path.stem for path in (self.place / "in").iterdir())[: self.count]
