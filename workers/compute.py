"""Datums of one pipeline in, what their commands left out, one after the other.

The caller takes each datum's files before it asks for the next: the folders are used again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tea_runner.adapters.environments.protocol import Environment, Limits
from tea_runner.adapters.openat import remove_tree
from tea_runner.adapters.outputs import Bounds
from tea_runner.adapters.save import Found
from tea_runner.core.errors import Cancelled, JobError, OutsideError, TimedOut
from tea_runner.core.plan import Keyed
from tea_runner.core.variables import variables
from tea_runner.flow.inputs import Work
from tea_runner.flow.tip import Tip
from workers.collect import collect
from workers.execute import Ran, run_datum
from workers.provision import GetContent, Room, WriteBlob, make_code, make_view, wanted_keys


@dataclass(frozen=True, kw_only=True)
class Computed:
    """How one datum ended: with files, or with the error that says why not."""

    item: Keyed
    #: Where in the dataset its outputs go.
    directory: str
    ran: Ran | None = None
    found: Sequence[Found] = ()
    error: JobError | None = None


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where datums of one dataset are computed, and within which limits."""

    environment: Environment
    limits: Limits
    bounds: Bounds
    network: bool
    get: GetContent
    write_blob: WriteBlob

    def compute(
        self,
        tip: Tip,
        work: Work,
        wanted: Sequence[tuple[str, str]],
        base: Path,
        *,
        job: str,
        write: Callable[[bytes], None],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[Computed]:
        """Compute datums below the empty folder *base*.

        :param wanted: (label, key) of each; an empty key is not compared.
        :raises OutsideError: when the world failed, or a key is not what the planner found.
        :raises Cancelled: when it was stopped.
        """
        keyed = {item.label: item for item in work.keyed}
        for label, key in wanted:
            if label not in keyed or key not in ("", keyed[label].key):
                raise OutsideError(f"datum {label} has another key here than the planner found")
        datums = [work.by_label[label] for label, _ in wanted]
        views = [work.view(datum) for datum in datums]
        content = self.get(wanted_keys(work, views, tip))
        code = base / "dataset"
        make_code(code, work, tip, content, self.write_blob)
        limit = work.pipeline.job_timeout
        end = time.monotonic() + limit if limit is not None else None
        for datum, view in zip(datums, views, strict=True):
            item = keyed[datum.label]
            if len(datums) > 1:
                write(f"tea-runner: datum {datum.label}\n".encode("utf-8", "backslashreplace"))
            room = _fresh(base, code)
            make_view(room.view, work, view, content, self.write_blob)
            places = self.environment.places(room.view, room.out, room.code)
            if places.out != f"{places.pfs}/out":
                # Without a sandbox nothing is mounted there: $PFS/out leads to the outputs all the same.
                (room.view / "out").symlink_to(room.out)
            env = variables(
                work.pipeline, datum, view, work.sources,
                key=item.key, job=job, commit=tip.commit, pfs=places.pfs, dataset=places.dataset,
            )  # fmt: skip
            directory = "/".join(part for part in (work.pipeline.home, item.place) if part)
            try:
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    raise TimedOut(f"the job took longer than its job_timeout of {limit:g} s")
                ran = run_datum(
                    work.pipeline, room, self.environment, env,
                    limits=self.limits, network=self.network, log=write, clear=_clear,
                    cancelled=cancelled, deadline=left,
                )  # fmt: skip
                found = self._collect(work, room, directory, ran, places.pfs, places.out)
            except Cancelled:
                raise
            except JobError as error:
                write(f"tea-runner: {error.message}\n".encode("utf-8", "backslashreplace"))
                yield Computed(item=item, directory=directory, error=error)
            else:
                yield Computed(item=item, directory=directory, ran=ran, found=found)

    def _collect(
        self, work: Work, room: Room, home: str, ran: Ran, pfs: str, out_at: str
    ) -> list[Found]:
        if ran.how == "recovered":
            return []
        taken = frozenset({work.pipeline.spec_path, *work.code})
        return collect(
            room.out, room.view, home, bounds=self.bounds, taken=taken, pfs=pfs, out_at=out_at
        )


def _fresh(base: Path, code: Path) -> Room:
    room = Room(view=base / "pfs", out=base / "out", code=code)
    for path in (room.view, room.out):
        remove_tree(path)
        path.mkdir(mode=0o755)
    return room


def _clear(room: Room) -> None:
    for child in room.out.iterdir():
        remove_tree(child)
