"""Row of this process among those that run, written every few seconds by a thread."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tea_runner.broker.live_processes import BEAT_EVERY, ProcessFacts, ProcessKind
from tea_runner.core.errors import QueueError
from tea_runner.core.planning.worker_requirement import Need
from tea_runner.core.resource_demand import OfferedResources
from tea_runner.wiring import Site
from workers.claim_heartbeat import Heartbeat
from workers.settings_reload import SettingsReload


def _disk(folder: Path) -> tuple[int, int]:
    """Free and all bytes of the file system of a folder, or of the one that it will be made in."""
    for each in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            usage = shutil.disk_usage(each)
            return usage.free, usage.total
    return 0, 0


@contextlib.contextmanager
def process_row(
    site: Site,
    name: str,
    kind: ProcessKind,
    *,
    offers: Callable[[], tuple[Need, ...]] = tuple,
    resources: OfferedResources | None = None,
    problem: Callable[[], str] = str,
    reload: SettingsReload | None = None,
) -> Iterator[None]:
    """Say that this process runs, inside the block.

    :param offers: needs of jobs that a worker can do now.
    :param resources: what the workers of this host share.
    :param problem: what keeps it from its work now; empty for nothing.
    :param reload: looks at the files of the settings meanwhile.
    """
    about = ProcessFacts(
        name=name,
        kind=kind,
        host=site.settings.worker.host or socket.gethostname(),
        pid=str(os.getpid()),
        files=reload.digests if reload is not None else {},
    )

    def beat() -> bool:
        if reload is not None:
            reload.look()
        free, total = _disk(site.settings.scratch.expanduser())
        unread = reload.problem if reload is not None else ""
        site.processes.beat(
            replace(
                about,
                offers=offers(),
                resources=resources,
                problem=problem() or unread,
                disk_free=free,
                disk_total=total,
            )
        )
        return True

    with contextlib.suppress(QueueError):
        beat()
    try:
        with Heartbeat(beat, BEAT_EVERY):
            yield
    finally:
        with contextlib.suppress(QueueError):
            site.processes.leave(name)
