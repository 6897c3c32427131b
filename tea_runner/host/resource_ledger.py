"""Resources that jobs on this host have reserved: one locked file each, in a folder that its workers share.

The kernel releases the lock of a file (flock(2)) when its process ends, however it ends, so a reservation
never outlives its worker.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tea_runner.core.errors import OutsideError
from tea_runner.core.resource_demand import (
    NO_DEMAND,
    OfferedResources,
    ResourceDemand,
    missing,
)

#: Bytes of a reservation's file; ours have less than 300.
_LARGEST = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """Sums of what is reserved."""

    cpu: float = 0.0
    memory: int = 0
    disk: int = 0
    gpus: frozenset[int] = frozenset()


@dataclass(kw_only=True)
class Reservation:
    """What is reserved for one job, until :meth:`release`."""

    demand: ResourceDemand = NO_DEMAND
    #: Numbers of its graphics processors.
    gpus: tuple[int, ...] = ()
    _ledger: ResourceLedger | None = None
    _files: list[tuple[int, Path]] = field(default_factory=list)

    def grow(self, memory: int) -> bool:
        """Reserve that many bytes of memory in all, if they fit now; returns whether they do."""
        if self._ledger is None or memory <= self.demand.memory:
            return True
        return self._ledger.grow(self, memory)

    def release(self) -> None:
        """Give everything back."""
        for descriptor, path in self._files:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(descriptor)
        self._files.clear()


class ResourceLedger:
    """What this host offers, and what its jobs have reserved of it.

    :param folder: shared by the workers of this host; made when it is missing.
    """

    def __init__(self, folder: Path, offered: OfferedResources) -> None:
        self._folder = folder
        self.offered = offered

    def lacks(self, demand: ResourceDemand) -> tuple[str, ...]:
        """What this host lacks for a demand, even when nothing else runs; see :func:`missing`."""
        return missing(demand, self.offered)

    def fits_now(self, demand: ResourceDemand) -> bool:
        """Whether a demand fits beside what is reserved.

        :raises OutsideError: when the folder cannot be used.
        """
        if not demand:
            return True
        with self._locked():
            return self._fits(demand, self._held())

    def reserve(self, demand: ResourceDemand) -> Reservation | None:
        """Reserve what a job demands; None when it does not fit now.

        :raises OutsideError: when the folder cannot be used.
        """
        if not demand:
            return Reservation()
        with self._locked():
            held = self._held()
            if not self._fits(demand, held):
                return None
            free = (number for number in range(self.offered.gpus) if number not in held.gpus)
            gpus = tuple(number for number, _ in zip(free, range(demand.gpu), strict=False))
            path = self._folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.json"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            reservation = Reservation(
                demand=demand, gpus=gpus, _ledger=self, _files=[(descriptor, path)]
            )
            _write(descriptor, reservation)
            return reservation

    def grow(self, reservation: Reservation, memory: int) -> bool:
        """See :meth:`Reservation.grow`."""
        with self._locked():
            more = memory - reservation.demand.memory
            if not self._fits(ResourceDemand(memory=more), self._held()):
                return False
            reservation.demand = replace(reservation.demand, memory=memory)
            for descriptor, _ in reservation._files:
                _write(descriptor, reservation)
            return True

    def _fits(self, demand: ResourceDemand, held: _Held) -> bool:
        offered = self.offered
        left = replace(
            offered,
            cpus=None if offered.cpus is None else offered.cpus - held.cpu + 1e-6,
            memory=None if offered.memory is None else offered.memory - held.memory,
            disk=None if offered.disk is None else offered.disk - held.disk,
            gpus=offered.gpus - len(held.gpus),
        )
        return not missing(demand, left)

    def _held(self) -> _Held:
        held = _Held()
        for path in self._folder.glob("*.json"):
            row = _read(path)
            if row is not None:
                held = _Held(
                    cpu=held.cpu + row.cpu,
                    memory=held.memory + row.memory,
                    disk=held.disk + row.disk,
                    gpus=held.gpus | row.gpus,
                )
        return held

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(
                self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise OutsideError(
                f"resources cannot be reserved in {self._folder}: {error}"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        except OSError as error:
            raise OutsideError(
                f"resources cannot be reserved in {self._folder}: {error}"
            ) from error
        finally:
            os.close(descriptor)


def _write(descriptor: int, reservation: Reservation) -> None:
    demand = reservation.demand
    row = {"cpu": demand.cpu, "memory": demand.memory, "disk": demand.disk}
    text = json.dumps({**row, "gpus": reservation.gpus}).encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)


def _read(path: Path) -> _Held | None:
    """What the file of a process that runs reserves; the file of a dead one is removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
            return None
        row = json.loads(os.pread(descriptor, _LARGEST, 0) or b"{}")
        return _Held(
            cpu=float(row.get("cpu", 0.0)),
            memory=int(row.get("memory", 0)),
            disk=int(row.get("disk", 0)),
            gpus=frozenset(int(each) for each in row.get("gpus", ())),
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    finally:
        os.close(descriptor)
