"""The floor: a bare script of the same steps, with no queue, no retries, no records and no safety."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from benchmarks.peers.peer import Peer
from tea_runner.core.git.annex_paths import link_target

_COMMAND = "sha256sum < {source} > {target}"


class Floor(Peer):
    """Push, list, look up, run what is missing, store it, one commit, one push."""

    name = "floor: bare script"
    note = "no queue, records or safety; one process at a time"

    def begin(self, dataset: Path) -> None:
        """A bare repository to push to; nothing is known."""
        super().begin(dataset)
        self.known: dict[str, str] = {}
        self.remote = self.room / "remote.git"
        self.store = self.room / "store"
        for folder in (self.remote, self.store):
            shutil.rmtree(folder, ignore_errors=True)
        self.store.mkdir()
        self.do("git", "init", "-q", "--bare", str(self.remote))
        self.do("git", "remote", "add", "floor", str(self.remote))
        self.do("git", "push", "-q", "floor", "HEAD:refs/heads/main")

    def run(self) -> None:
        """All results that are not known."""
        self.do("git", "push", "-q", "floor", "HEAD:refs/heads/main")
        missing = [(name, key) for name, key in self._inputs() if self.known.get(name) != key]
        if not missing:
            return
        parent = b"from refs/heads/results^0\n" if self.known else b""
        stream = [b"commit refs/heads/results\ncommitter a <a@b> 1700000000 +0000\ndata 1\nx\n"]
        stream.append(parent)
        for name, key in missing:
            stream.append(self._one(name))
            self.known[name] = key
        self.do("git", "fast-import", "--quiet", stdin=b"".join(stream))
        self.do("git", "push", "-q", "floor", "refs/heads/results")

    def _inputs(self) -> list[tuple[str, str]]:
        rows = self.do("git", "ls-tree", "-r", "-z", "HEAD", "in").split(b"\0")
        named = [row.partition(b"\t") for row in rows if row]
        return [(path.decode(), facts.decode()) for facts, _, path in named]

    def _one(self, name: str) -> bytes:
        target = self.room / "output"
        self.do(*self.argv(self.place / name, target))
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
        key = f"SHA256E-s{target.stat().st_size}--{digest}.sum"
        target.rename(self.store / key)
        path = f"out/{Path(name).stem}.sum"
        link = link_target(key, path).encode()
        return b"M 120000 inline %s\ndata %d\n%s\n" % (path.encode(), len(link), link)

    def argv(self, source: Path, target: Path) -> tuple[str, ...]:
        """What is started for one datum."""
        return ("sh", "-c", _COMMAND.format(source=source, target=target))


class SandboxedFloor(Floor):
    """The same, each datum in a bubblewrap of its own."""

    name = "floor: bare script, bubblewrap"

    def problem(self) -> str:
        """Whether there is a bubblewrap."""
        return "" if shutil.which("bwrap") else "bubblewrap is not installed"

    def argv(self, source: Path, target: Path) -> tuple[str, ...]:
        """The least that shuts a command in."""
        inner = super().argv(source, target)
        return (
            "bwrap",
            "--unshare-all",
            "--ro-bind",
            "/",
            "/",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "--bind",
            str(self.room),
            str(self.room),
            *inner,
        )
