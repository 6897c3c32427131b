"""Ids of git objects in, their types and contents out: one ``git cat-file`` that stays.

Git looks for objects while we do something else: two pieces of requests are under way at once, and
what will be wanted soon can be asked :meth:`CatFile.prefetch` of time.
"""

from __future__ import annotations

import contextlib
import fcntl
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tea_runner.core.errors import Refused
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.host import process

Found = tuple[str, bytes] | None

#: Bytes that its pipes shall hold: the answers to a piece of requests fit, so that git need not wait.
_PIPE = 1 << 20
#: Bytes of a pipe where that is not allowed (pipe(7)).
_SMALL_PIPE = 1 << 16
#: Requests in a piece, where the pipe is large.
_MOST = 4000
#: Bytes of the largest tree that is read: some four million names in one folder.
_LARGEST_TREE = 256 << 20
_KINDS = {kind.encode(): kind for kind in ("commit", "tree", "blob", "tag")}


class CatFile:
    """Objects of one repository.  Safe to share between threads."""

    def __init__(self, git_dir: Path, environment: GitEnvironment) -> None:
        self._git_dir = git_dir
        self._environment = environment
        self._pipe: process.PipedProcess | None = None
        self._lock = threading.RLock()
        #: Requests whose text fits twice into what git reads from; else each would wait for the other.
        self._piece = 1
        #: What was read of the answers and not looked at yet.
        self._text, self._at = b"", 0
        #: Objects that were asked ahead of time, and such of which the answers are here.
        self._asked: Sequence[str] = ()
        self._answered: dict[str, Found] = {}
        #: How many objects were asked of git, for the tests of cost.
        self.reads = 0

    def read_many(self, oids: Iterable[str]) -> dict[str, Found]:
        """Several objects at once.

        :raises Refused: when one of them is a tree larger than any dataset's.
        """
        wanted = dict.fromkeys(oids)
        with self._lock, self._whole():
            self._collect()
            here = self._answered
            ready = {oid: here.pop(oid) for oid in wanted if oid in here} if here else {}
            pieces = list(_pieces([oid for oid in wanted if oid not in ready], self._room()))
            for number, piece in enumerate(pieces):
                if number == 0:
                    self._ask(piece)
                if number + 1 < len(pieces):
                    self._ask(pieces[number + 1])
                ready.update(zip(piece, self._answers(len(piece)), strict=True))
            return ready

    def prefetch(self, oids: Iterable[str]) -> None:
        """Have git look for objects that will be wanted; what it found before for this is let go of."""
        with self._lock, self._whole():
            self._collect()
            self._answered = {}
            self._asked = list(dict.fromkeys(oids))[: self._room()]
            if self._asked:
                self._ask(self._asked)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._pipe is not None:
                self._pipe.close()
                self._forget()

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            # A process that was left in the middle of an answer can never be asked again, and
            # does not end by itself while nobody reads that answer.
            if self._pipe is not None:
                process.kill(self._pipe.process)
            self._forget()
            raise

    def _forget(self) -> None:
        self._pipe, self._text, self._at, self._asked, self._answered = None, b"", 0, (), {}

    def _collect(self) -> None:
        """What was asked ahead of time."""
        if self._asked and self._pipe is not None and self._pipe.alive:
            self._answered = dict(zip(self._asked, self._answers(len(self._asked)), strict=True))
        self._asked = ()

    def _room(self) -> int:
        """How many requests are a piece; the process is there then."""
        if self._pipe is None or not self._pipe.alive:
            if self._pipe is not None:
                self._pipe.close()
                self._forget()
            argv = ["git", f"--git-dir={self._git_dir}", "-c", "remote.origin.promisor=false"]
            self._pipe = process.PipedProcess(
                [*argv, "cat-file", "--batch-command", "--buffer"],
                env=self._environment.variables,
            )
            _widen(self._pipe.stdout.fileno())
            longest = len(f"contents {'0' * 64}\n")
            self._piece = min(_widen(self._pipe.stdin.fileno()) // 2 // longest - 1, _MOST)
        return self._piece

    def _ask(self, oids: Sequence[str]) -> None:
        assert self._pipe is not None
        self._pipe.send("".join([*(f"contents {oid}\n" for oid in oids), "flush\n"]).encode())
        self.reads += len(oids)

    def _answers(self, count: int) -> Iterator[Found]:
        """The next answers.  A plan reads hundreds of thousands, so they are not read one by one."""
        pipe = self._pipe
        assert pipe is not None
        text, at = self._text, self._at
        for _ in range(count):
            while (end := text.find(b"\n", at)) < 0:
                text, at = text[at:] + pipe.read_available(), 0
            header = text[at:end].split(b" ")
            if header[-1] in (b"missing", b"ambiguous"):
                at = end + 1
                yield None
                continue
            size = int(header[2])
            if header[1] == b"tree" and size > _LARGEST_TREE:
                raise Refused(
                    f"a folder of the repository (tree {header[0].decode()}) takes {size} bytes in "
                    f"git, more than {_LARGEST_TREE >> 20} MiB; spread its files over several folders"
                )
            start, at = end + 1, end + 2 + size
            if at > len(text):
                text = text[start:] + pipe.read(at - len(text))
                start, at = 0, size + 1
            yield _KINDS[header[1]], text[start : start + size]
        self._text, self._at = (text, at) if at < len(text) else (b"", 0)


def _pieces(oids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (oids[start : start + size] for start in range(0, len(oids), size))


def _widen(descriptor: int) -> int:
    """Have a pipe hold more; how many bytes it holds (fcntl(2), F_SETPIPE_SZ)."""
    with contextlib.suppress(AttributeError, OSError):
        return fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)
    return _SMALL_PIPE
