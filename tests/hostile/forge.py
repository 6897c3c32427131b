"""Bare repositories made from rows of hostile data, and a server that processes them.

A row lies over an ordinary dataset: one input file, one pipeline that copies it.  Commands in it that
must not run touch a file in the folder of canaries; addresses lead to a listener that counts.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.git.annex_paths import link_target
from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path
from tea_runner.settings import load_settings
from tea_runner.wiring import Site
from tests import listening
from tests.e2e.pipelines import COPY, spec
from workers.branch_planner import BranchPlanner
from workers.job_worker import JobWorker

UUID = "2a3b4c5d-0000-4000-8000-00000000f00d"
_ORDINARY: dict[str, Any] = {
    ".gitattributes": "* annex.backend=SHA256E\n* annex.largefiles=nothing\n",
    "raw/a.txt": "a\n",
    "up/spec.yml": spec("up", COPY),
}
_MODES = {"exec": "100755", "link": "120000", "submodule": "160000"}


class Sink:
    """A listener on loopback that must never hear anything."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.heard.append(connection.recv(200) or b"(a connection)")

    def close(self) -> None:
        """Stop listening."""
        listening.end(self._socket, self._thread)


@dataclass
class Met:
    """What became of one repository."""

    state: str
    #: Everything that was said: problems, details, failures, statuses, logs.
    said: str
    outputs: dict[str, bytes] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)


class HostileForge:
    """A folder of bare repositories, and one planner and one worker that look after them."""

    def __init__(
        self,
        root: Path,
        *,
        top: str = "",
        settings: str = "",
        sandbox: str = "off",
        walls: str = "",
        more: str = "",
    ) -> None:
        """A server.

        :param top: lines of the settings file before its first table; *settings* are further tables,
            *walls* lines of the sandbox's, and *more* of the forge's.
        """
        self.root = root
        self.canaries = root / "canaries"
        self.sink = Sink()
        self.env = {**os.environ, "PATH": tool_path(os.environ), "GIT_CONFIG_GLOBAL": "/dev/null"}
        for name in ("forge/lab", "broker", "host", "store", "canaries"):
            (root / name).mkdir(parents=True)
        self.broker = RedisServer(root / "broker", self.env)
        self.broker.start()
        file = root / "host" / "tea-runner.toml"
        file.write_text(
            f'state = "{root}/host"\nscratch = "{root}/scratch"\nrepositories = ["lab/*"]\n{top}\n'
            f'[redis]\nurl = "{self.broker.url}"\n[sandbox]\nkind = "{sandbox}"\n'
            f"{walls}\n"
            f'[forge]\nkind = "folder"\nurl = "{root}/forge"\n{more}\n{settings}\n'
            f'[[storage]]\nname = "store"\nuuid = "{UUID}"\ntype = "directory"\n'
            f'[storage.options]\ndirectory = "{root}/store"\n'
        )
        self._begin()

    def _begin(self) -> None:
        file = self.root / "host" / "tea-runner.toml"
        self.site = Site(load_settings(file=file, env={}, flags={}), self.env)
        self.planner = BranchPlanner(self.site)
        self.worker = JobWorker(self.site, "worker-hostile")

    def again(self) -> None:
        """Begin anew, with the settings as they are now."""
        self.planner.close()
        self.worker.close()
        self._begin()

    # -- making ------------------------------------------------------------------------------

    def fill(self, text: str) -> str:
        """A row's text with the places of this very run in it."""
        for name, value in {
            "CANARY": f"touch {self.canaries}/ran",
            "PORT": str(self.sink.port),
            "ROOT": str(self.root),
            "UUID": UUID,
        }.items():
            text = text.replace(f"@{name}@", value)
        return text

    def git(self, name: str, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Run git on a repository of the forge, as its owner."""
        place = self.root / "forge" / "lab" / f"{name}.git"
        argv = ["git", f"--git-dir={place}", *arguments]
        return bytes(process.run(argv, env=self.env, cwd=place, stdin=stdin).stdout)

    def make(self, name: str, row: Mapping[str, Any]) -> None:
        """The bare repository of a row."""
        place = self.root / "forge" / "lab" / f"{name}.git"
        kind = row.get("format", "sha1")
        argv = ["git", "init", "-q", "--bare", "-b", "main", f"--object-format={kind}", str(place)]
        process.run(argv, env=self.env)
        self.git(name, "config", "uploadpack.allowFilter", "true")
        if row.get("empty"):
            return
        files = {**_ORDINARY, **row.get("files", {})}
        annexed = {path: self.fill(key) for path, key in row.get("annexed", {}).items()}
        files |= {path: {"link": link_target(key, path)} for path, key in annexed.items()}
        remote = f"{UUID} name=store type=directory encryption=none timestamp=1s\n"
        branch = {"remote.log": remote, "uuid.log": f"{UUID} store timestamp=1s\n"}
        stream = self._commit("main", files, row)
        if row.get("git-annex", True):
            stream += self._commit("git-annex", branch | dict(row.get("git-annex", {}) or {}), {})
        self.git(name, "fast-import", "--quiet", "--date-format=raw-permissive", stdin=stream)
        for step in row.get("raw", ()):
            self._raw(name, step)

    def _commit(self, branch: str, files: Mapping[str, Any], row: Mapping[str, Any]) -> bytes:
        who = f"A <a@example.org> {row.get('date', '1700000000 +0000')}".encode()
        message = self.fill(row.get("message", "x")).encode()
        out = b"commit refs/heads/%s\ncommitter %s\n" % (branch.encode(), who)
        out += b"data %d\n%s\n" % (len(message), message)
        for path, what in files.items():
            if what is None:
                continue
            name = _quoted(self.fill(path))
            kind, text = next(iter(what.items())) if isinstance(what, dict) else ("file", what)
            if kind == "submodule":
                out += b"M 160000 %s %s\n" % (text.encode(), name)
                continue
            data = self.fill(text).encode("utf-8", "surrogateescape")
            data = data * (what.get("times", 1) if isinstance(what, dict) else 1)
            mode = _MODES.get(kind, "100644").encode()
            out += b"M %s inline %s\ndata %d\n%s\n" % (mode, name, len(data), data)
        return out

    def _raw(self, name: str, step: Mapping[str, Any]) -> None:
        """Objects that git itself would not make: trees with odd names, modes or order."""
        blob = self.git(name, "hash-object", "-w", "--stdin", stdin=b"x\n").strip().decode()
        tree = self.git(name, "rev-parse", "main:raw").strip().decode()
        data = b""
        for mode, path in step["tree"]:
            oid = tree if mode == "40000" else blob
            data += mode.encode() + b" " + path.encode() + b"\0" + bytes.fromhex(oid)
        data = self.git(name, "cat-file", "tree", "main^{tree}") * step.get("keep", 0) + data
        argv = ["hash-object", "-w", "-t", "tree", "--literally", "--stdin"]
        made = self.git(name, *argv, stdin=data).strip().decode()
        commit = self._commit_tree(name, made)
        self.git(name, "update-ref", "refs/heads/main", commit)

    def _commit_tree(self, name: str, tree: str) -> str:
        who = "A <a@example.org> 1700000000 +0000"
        text = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nx\n".encode()
        argv = ["hash-object", "-w", "-t", "commit", "--stdin", "--literally"]
        return self.git(name, *argv, stdin=text).strip().decode()

    # -- meeting -----------------------------------------------------------------------------

    def meet(self, name: str, branch: str = "main") -> Met:
        """Plan the branch, do its jobs, plan again: everything that a push leads to."""
        said: list[str] = []
        advance = None
        for _ in range(4):
            advance = self.planner.plan(f"lab/{name}", branch)
            jobs = self.site.jobs.waiting()
            for job in jobs:
                self.worker(job)
                facts = self.site.jobs.get(job)
                said += [facts.get("error", ""), facts.get("state", "")]
                said.append(b"".join(self._log(job)).decode("utf-8", "replace"))
            if not jobs:
                break
        for job in self.site.jobs.waiting():
            self.site.jobs.cancel(job)
        state = "refused"
        if advance is not None:
            state = "nothing"
            for progress in advance.pipelines.values():
                state = progress.state
                said += [progress.detail, *(d.detail for d in progress.decisions)]
            said += advance.problems
            if advance.problems and not advance.pipelines:
                state = "problem"
        return Met(state, "\n".join(said), self.outputs(name, branch), self.tips(name))

    def _log(self, job: str) -> Sequence[bytes]:
        reader = self.site.log(job)
        return list(reader.read(0, reader.size()))

    def outputs(self, name: str, branch: str = "main") -> dict[str, bytes]:
        """The files below ``up`` that the server made."""
        refs = [f"refs/heads/tea/results/{branch}", f"refs/heads/{branch}"]
        there = [ref for ref in refs if self.git(name, "for-each-ref", ref)]
        if not there:
            return {}
        listed = self.git(name, "ls-tree", "-r", "-z", there[0], "up/").split(b"\0")
        rows = [line.split(b"\t", 1) for line in listed if line]
        return {
            os.fsdecode(path): self.git(name, "cat-file", "blob", words.split()[2].decode())
            for words, path in rows
            if not path.endswith((b"spec.yml", b"manifest.tsv")) and b"/manifest.sig/" not in path
        }

    def tips(self, name: str) -> dict[str, str]:
        """All refs of the repository."""
        lines = self.git(name, "for-each-ref", "--format=%(refname) %(objectname)").decode()
        return dict(line.rsplit(" ", 1) for line in lines.splitlines())

    def store(self, data: bytes) -> str:
        """Put content where the storage keeps it; its key."""
        key = f"SHA256E-s{len(data)}--{hashlib.sha256(data).hexdigest()}"
        from tea_runner.core.git.annex_paths import lower_directory

        place = self.root / "store" / lower_directory(key) / key / key
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return key

    def close(self) -> None:
        """End everything."""
        self.planner.close()
        self.worker.close()
        self.sink.close()
        if "redis" in vars(self.site):
            self.site.redis.close()
        self.broker.stop()


def _quoted(path: str) -> bytes:
    """A path as fast-import reads it, whatever its bytes are."""
    raw = path.encode("utf-8", "surrogateescape")
    inner = b"".join(bytes([c]) if 32 < c < 127 and c not in b'"\\' else b"\\%03o" % c for c in raw)
    return b'"' + inner + b'"'


@pytest.fixture(scope="module")
def edges_forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileForge]:
    """A server with one repository, called as in the tests of pages and keys."""
    made = HostileForge(tmp_path_factory.mktemp("all"))
    made.make("edges", {})
    yield made
    made.close()
