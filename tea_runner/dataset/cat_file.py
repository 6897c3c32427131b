"""Read git objects through a long-lived ``git cat-file --batch-command``.

Git reads objects in parallel to this process: two chunks of requests are in flight at once, and
:meth:`CatFile.prefetch` requests objects that are needed soon.
"""

from __future__ import annotations

import contextlib
import fcntl
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar
from weakref import WeakKeyDictionary

from tea_runner.core.errors import Refused
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.host import process

#: Type and content of an object.
GitObject = tuple[str, bytes]

#: Bytes of the pipes to and from git: a chunk's requests and most of its answers fit.
_PIPE_SIZE = 1 << 20
#: Bytes of a pipe whose size cannot be changed (pipe(7)).
_DEFAULT_PIPE_SIZE = 1 << 16
#: Limit on the requests in a chunk.
_MAX_CHUNK = 4000
#: Bytes of the largest tree that is read: about four million entries in one folder.
_MAX_TREE = 256 << 20
#: Bytes of the largest other object that is read: a piece of a manifest, or the record of a results commit.
MAX_OBJECT = 64 << 20
#: Bytes up to which an object that is too large is skipped; for a larger one git is started again.
_MAX_SKIPPED = 4 << 20
#: Objects whose sizes are remembered because they are too large.
_MAX_OVERSIZED = 10_000
#: Processes of this class that run at once: a superdataset can have thousands of repositories.
_MAX_PROCESSES = 48
_KINDS = {kind.encode(): kind for kind in ("commit", "tree", "blob", "tag")}


class _TooLargeError(Exception):
    """An answer is too large to be skipped."""


class CatFile:
    """The objects of one repository; threads may share it.

    With many repositories, the processes that were started first end; the next request starts another.
    """

    #: Those with a process, in the order of their starts.
    _running: ClassVar[WeakKeyDictionary[CatFile, None]] = WeakKeyDictionary()
    _registry: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, git_dir: Path, environment: GitEnvironment) -> None:
        self._git_dir = git_dir
        self._environment = environment
        self._pipe: process.PipedProcess | None = None
        self._lock = threading.RLock()
        #: Requests in a chunk: two chunks must fit into the pipe, or this process and git would block each
        #: other.
        self._chunk = 1
        #: Bytes that were read from git, and the index of the first one that is not parsed yet.
        self._buffer, self._position = b"", 0
        #: Objects that are being prefetched, and those that were prefetched.
        self._requested: Sequence[str] = ()
        self._prefetched: dict[str, GitObject | None] = {}
        self._prefetch_most = MAX_OBJECT
        #: Size of objects that were too large to be read.
        self.oversized: dict[str, int] = {}
        #: Number of objects that were requested from git; tests limit it.
        self.reads = 0

    def read_many(self, oids: Iterable[str], most: int = MAX_OBJECT) -> dict[str, GitObject | None]:
        """Type and content by object id; None for objects that the repository does not have.

        Also None for objects that are no trees and have more bytes than *most*: a few bytes of a pack can
        become any number.

        :raises Refused: for a tree of more than 256 MiB.
        """
        wanted = dict.fromkeys(oids)
        with self._lock, self._kill_on_error():
            self._collect()
            cache = self._prefetched
            ready = {oid: cache.pop(oid) for oid in wanted if oid in cache} if cache else {}
            rest = [oid for oid in wanted if oid not in ready]
            while rest:
                try:
                    self._read(rest, ready, most)
                except _TooLargeError:
                    self._restart()
                    ready[next(oid for oid in rest if oid not in ready)] = None
                rest = [oid for oid in rest if oid not in ready]
            return ready

    def _read(self, oids: Sequence[str], ready: dict[str, GitObject | None], most: int) -> None:
        """Read objects into *ready*, in their order.

        :raises _TooLargeError: at the first one that is too large to be skipped.
        """
        chunks = list(_chunks(oids, self._chunk_size()))
        for number, chunk in enumerate(chunks):
            if number == 0:
                self._request(chunk)
            if number + 1 < len(chunks):
                self._request(chunks[number + 1])
            ready.update(zip(chunk, self._answers(len(chunk), most), strict=True))

    def prefetch(self, oids: Iterable[str], most: int = MAX_OBJECT) -> None:
        """Request objects that are needed soon; what an earlier call prefetched is discarded.

        :param most: bytes of objects that are of interest.
        """
        with self._lock, self._kill_on_error():
            self._collect()
            self._prefetched, self._prefetch_most = {}, most
            self._requested = list(dict.fromkeys(oids))[: self._chunk_size()]
            if self._requested:
                self._request(self._requested)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._pipe is not None:
                self._pipe.close()
                self._reset()

    def _limit_processes(self) -> None:
        """Note that this one has a process now, and end others that are too many and idle."""
        with self._registry:
            running = self._running
            running.pop(self, None)
            running[self] = None
            oldest = list(running)[: max(0, len(running) - _MAX_PROCESSES)]
        for other in oldest:
            if other._lock.acquire(blocking=False):
                try:
                    # With requests that are not answered, the process may be blocked.
                    if other._requested:
                        other._restart()
                    else:
                        other.close()
                finally:
                    other._lock.release()

    @contextlib.contextmanager
    def _kill_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            # In the middle of an answer the process can take no request, and it blocks until the
            # answer is read.
            self._restart()
            raise

    def _reset(self) -> None:
        with self._registry:
            self._running.pop(self, None)
        self._pipe, self._buffer, self._position, self._requested, self._prefetched = (
            None,
            b"",
            0,
            (),
            {},
        )

    def _collect(self) -> None:
        """Read the answers to a prefetch."""
        if self._requested and self._pipe is not None and self._pipe.alive:
            answers: dict[str, GitObject | None] = {}
            try:
                count, most = len(self._requested), self._prefetch_most
                answers.update(zip(self._requested, self._answers(count, most), strict=True))
            except _TooLargeError:
                self._restart()
            # Whoever reads an object next may want larger ones.
            self._prefetched = {
                oid: answer for oid, answer in answers.items() if oid not in self.oversized
            }
        self._requested = ()

    def _restart(self) -> None:
        """End the process in the middle of an answer; the next request starts another."""
        if self._pipe is not None:
            process.kill(self._pipe.process)
        self._reset()

    def _chunk_size(self) -> int:
        """Start the process if necessary; returns how many requests a chunk may have."""
        if self._pipe is None or not self._pipe.alive:
            if self._pipe is not None:
                self._pipe.close()
                self._reset()
            argv = ["git", f"--git-dir={self._git_dir}", "-c", "remote.origin.promisor=false"]
            self._pipe = process.PipedProcess(
                [*argv, "cat-file", "--batch-command", "--buffer"],
                env=self._environment.variables,
            )
            self._limit_processes()
            _widen(self._pipe.stdout.fileno())
            longest = len(f"contents {'0' * 64}\n")
            self._chunk = min(_widen(self._pipe.stdin.fileno()) // 2 // longest - 1, _MAX_CHUNK)
        return self._chunk

    def _request(self, oids: Sequence[str]) -> None:
        assert self._pipe is not None
        self._pipe.send("".join([*(f"contents {oid}\n" for oid in oids), "flush\n"]).encode())
        self.reads += len(oids)

    def _answers(self, count: int, most: int) -> Iterator[GitObject | None]:
        """The next answers, parsed from large reads: a plan reads hundreds of thousands.

        :raises _TooLargeError: at an object of more than *most* bytes that is too large to be skipped.
        """
        pipe = self._pipe
        assert pipe is not None
        text, at = self._buffer, self._position
        for _ in range(count):
            while (end := text.find(b"\n", at)) < 0:
                text, at = text[at:] + pipe.read_available(), 0
            header = text[at:end].split(b" ")
            if header[-1] in (b"missing", b"ambiguous"):
                at = end + 1
                yield None
                continue
            size = int(header[2])
            if header[1] == b"tree" and size > _MAX_TREE:
                raise Refused(
                    f"a folder of the repository (tree {header[0].decode()}) takes {size} bytes "
                    f"in git, more than {_MAX_TREE >> 20} MiB",
                    hint="spread its files over several folders",
                )
            large = size > most and header[1] != b"tree"
            if large:
                self._note_oversized(header[0].decode(), size)
                if size > _MAX_SKIPPED:
                    raise _TooLargeError
            start, at = end + 1, end + 2 + size
            if at > len(text):
                text = text[start:] + pipe.read(at - len(text))
                start, at = 0, size + 1
            yield None if large else (_KINDS[header[1]], text[start : start + size])
        self._buffer, self._position = (text, at) if at < len(text) else (b"", 0)

    def _note_oversized(self, oid: str, size: int) -> None:
        if len(self.oversized) >= _MAX_OVERSIZED:
            self.oversized.clear()
        self.oversized[oid] = size


def _chunks(oids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (oids[start : start + size] for start in range(0, len(oids), size))


def _widen(descriptor: int) -> int:
    """Enlarge a pipe's buffer and return its size (fcntl(2), F_SETPIPE_SZ)."""
    with contextlib.suppress(AttributeError, OSError):
        return fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    return _DEFAULT_PIPE_SIZE
