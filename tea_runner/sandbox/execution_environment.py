"""Interface of the environments in which commands run: what to run, where, and how it ended.

Every environment shows a command the same paths: its inputs below ``/pfs``, its own output directory at
``/pfs/out`` and the dataset's code at ``/dataset``.  Where such paths cannot be made (``sandbox: off``),
:meth:`Environment.paths` gives the paths to use instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from tea_runner.core.errors import Refused

#: Paths inside every environment that can make them.  ``/pfs`` and ``/pfs/out`` are Pachyderm's.
PFS = "/pfs"
OUT = "/pfs/out"
DATASET = "/dataset"

#: Bytes of the private ``/tmp`` when no limit is set.
DEFAULT_SCRATCH = 1 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Resource limits of one command; None means no limit. Sizes are in bytes."""

    #: All processes of the command together.
    memory: int | None = None
    #: The most that *memory* may become when the command runs again; None for no more.
    most_memory: int | None = None
    #: Processors that all processes together may use, where a control group can be made.
    cpus: float | None = None
    #: Processes and threads at one time.
    processes: int | None = None
    #: One file.
    file_size: int | None = None
    open_files: int | None = None
    #: Per process.
    cpu_seconds: int | None = None
    #: The private /tmp; /dev/shm is a quarter as large.
    scratch: int | None = None
    #: Seconds of a datum, for all commands that are run for it.
    wall_clock: float | None = None
    #: One file that is kept in git, as an input or a result.
    git_file_size: int | None = None
    #: Checked while the command runs and again at its end.
    output_bytes: int | None = None
    output_files: int | None = None


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A file or directory of the host shown at a path inside, for example a secret."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One command with everything that it can see, and its limits."""

    #: Empty: the image's own command.
    argv: tuple[str, ...]
    stdin: bytes | None = None
    #: The terminal's end that the command gets in place of *stdin* and *log*; None for no terminal.
    terminal: int | None = None
    #: All variables of the command; without ``PATH`` it gets the environment's own.
    env: Mapping[str, str]
    #: Names of those whose values are secret.
    secret_variables: frozenset[str] = frozenset()
    #: Host directory of inputs and of ``.env``, each shown read-only below ``/pfs``.
    #: Its contents are readable by all users, because the command may run as another one; the
    #: directory above it is not.
    view: Path | None
    #: Empty host directory, shown writable at *out_at*.
    out: Path | None
    out_at: str = OUT
    #: Host directory shown at ``/dataset``; readable by all users, as *view* is.
    code: Path | None = None
    code_writable: bool = False
    #: Inside; empty means ``/dataset``, or *out_at* when there is no code.
    cwd: str = ""
    mounts: tuple[Mount, ...] = ()
    #: Receives the command's standard output and error, mixed, in chunks as they are printed.
    #: An exception that it raises ends the command and is raised by :meth:`Environment.run`.
    log: Callable[[bytes], None]
    #: Seconds of wall clock.
    timeout: float | None = None
    limits: Limits = Limits()
    network: bool = False
    #: Numbers of the graphics processors that the command may use.
    gpus: tuple[int, ...] = ()
    image: str = ""
    #: Called about every 0.2 s.
    cancelled: Callable[[], bool] = lambda: False


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a command ended.

    *code* is the exit code as a shell shows it: 128 plus the signal's number for a command that was
    ended by a signal, 127 for a program that was not found; None when tea-runner ended the command.
    """

    code: int | None
    signal: int | None = None
    timed_out: bool = False
    cancelled: bool = False
    #: Ended for using more memory than its limit.
    oom: bool = False
    #: A sentence naming the output limit that was exceeded during the run, or empty.
    overflow: str = ""
    seconds: float = 0.0
    #: Seconds of processor time of all processes that ended in order; None where it is not known.
    cpu: float | None = None
    #: Largest memory of all processes together, in bytes; None where it is not known.
    memory: int | None = None


class SandboxPaths(NamedTuple):
    """Paths, inside an environment, of the inputs, the outputs and the dataset."""

    pfs: str
    out: str
    dataset: str


#: The paths of every environment that can make them.
STANDARD_PATHS = SandboxPaths(pfs=PFS, out=OUT, dataset=DATASET)


def host_identity(image: str) -> tuple[str, ...]:
    """Identity of an environment without images, with or without a sandbox.

    :raises Refused: when there is an image.
    """
    if image:
        raise Refused(f"image {image!r} needs a container; the host environment has no images")
    return ("host",)


class Environment(Protocol):
    """A kind of environment for commands: a sandbox or a container engine."""

    @property
    def name(self) -> str:
        """As in the settings: ``host``, ``off``, ``docker``, ``podman``, ``apptainer``."""
        ...

    def check(self) -> str | None:
        """A sentence saying what is missing and what to install, or None when it is usable."""
        ...

    def network_problem(self) -> str | None:
        """A sentence saying why commands cannot have a network here, or None."""
        ...

    def identity(self, image: str) -> tuple[str, ...]:
        """The part of a datum's key that stands for this environment.

        :raises Refused: when *image* does not identify its content.
        """
        ...

    def paths(self, view: Path | None, out: Path | None, code: Path | None) -> SandboxPaths:
        """The paths inside for these host directories."""
        ...

    def run(self, execution: Execution) -> Outcome:
        """Run the command to its end; none of its processes is alive afterwards.

        Call it from a thread that outlives the command: PR_SET_PDEATHSIG is about the parent *thread*
        (prctl(2)).

        :raises OutsideError: when the environment fails.
        :raises Refused: when the environment may not or cannot run this command.
        """
        ...
