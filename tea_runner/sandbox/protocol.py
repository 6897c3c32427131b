"""What to run and where in, how it ended out: the seam between a worker and any environment.

An environment shows a command the same places whatever it is made of: the inputs below ``/pfs``,
the datum's own directory at ``/pfs/out``, the dataset's code at ``/dataset``.  Where such paths
cannot be made (``sandbox: off``), :meth:`Environment.places` says what they are instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

#: The inside paths of every environment that can make them.
PFS = "/pfs"
OUT = "/pfs/out"
DATASET = "/dataset"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one command may use; None is no limit of ours. Sizes in bytes."""

    #: All processes of the command together.
    memory: int | None = None
    #: Processes and threads at one time.
    processes: int | None = None
    #: One file.
    file_size: int | None = None
    open_files: int | None = None
    #: Of each process.
    cpu_seconds: int | None = None
    #: Of the private /tmp, and a quarter of it for /dev/shm.
    scratch: int | None = None
    #: Watched while the command runs, and examined after it.
    output_bytes: int | None = None
    output_files: int | None = None


@dataclass(frozen=True, kw_only=True)
class Mount:
    """One more file or directory of the host, shown at a path inside; a secret, for example."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One command, all that it can observe, and its limits."""

    argv: tuple[str, ...]
    stdin: bytes | None = None
    #: All variables of the command; ``PATH`` is the environment's own where the caller names none.
    env: Mapping[str, str]
    #: Host directory with one directory of plain files per input, each shown read-only below
    #: ``/pfs``. Everything in it is readable by all users (the command may run as another one);
    #: it is the directory above it that is closed.
    view: Path | None
    #: Host directory, empty, shown writable at *out_at*.
    out: Path | None
    out_at: str = OUT
    #: Host directory shown at ``/dataset``; readable by all users, as *view* is.
    code: Path | None = None
    code_writable: bool = False
    #: Inside; empty is ``/dataset``, or the place of *out* where there is no code.
    cwd: str = ""
    mounts: tuple[Mount, ...] = ()
    #: Receives what the command prints, both streams in one, chunk by chunk as it comes.
    #: What it raises ends the command and goes on to the caller.
    log: Callable[[bytes], None]
    #: Seconds of wall clock.
    timeout: float | None = None
    limits: Limits = Limits()
    network: bool = False
    image: str = ""
    #: Asked about every 0.2 s.
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a command ended.

    *code* is what a shell would show: 128 and the signal's number for a command that a signal
    ended, 127 for one that was not found; None when we ended it ourselves.
    """

    code: int | None
    signal: int | None = None
    timed_out: bool = False
    cancelled: bool = False
    #: Ended for using more memory than its limit.
    oom: bool = False
    #: The limit on outputs that was passed while the command ran, as a sentence; or empty.
    overflow: str = ""
    seconds: float = 0.0


class Places(NamedTuple):
    """Where a command sees things, as paths inside its environment."""

    pfs: str
    out: str
    dataset: str


class Environment(Protocol):
    """One kind of place where commands run."""

    @property
    def name(self) -> str:
        """As in the settings: ``host``, ``off``, ``docker``, ``podman``, ``apptainer``."""
        ...

    def check(self) -> str | None:
        """A sentence saying what is missing and what to install, or None when it can be used."""
        ...

    def identity(self, image: str) -> tuple[str, ...]:
        """What of this environment goes into the key.

        :raises Refused: when *image* does not say which bytes it is.
        """
        ...

    def places(self, view: Path | None, out: Path | None, code: Path | None) -> Places:
        """The inside paths of these host directories."""
        ...

    def run(self, execution: Execution) -> Outcome:
        """Run the command to its end; nothing of it is alive afterwards.

        Call it from a thread that outlives the command: the kernel's "die with the parent" is
        about the parent *thread*.

        :raises OutsideError: when the environment itself fails.
        :raises Refused: when it may not or cannot be used as asked.
        """
        ...
