"""Reservations of jobs on one host: they fit, also across processes, and end with their process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from tea_runner.core.resource_demand import OfferedResources, ResourceDemand
from tea_runner.host import process
from tea_runner.host.machine_resources import machine_resources, nvidia_gpus
from tea_runner.host.resource_ledger import Reservation, ResourceLedger

_OFFERED = OfferedResources(cpus=4, memory=1000, gpus=3)


def test_what_is_reserved_is_gone_until_it_is_released(tmp_path: Path) -> None:
    """Processors, memory, and graphics processors by number."""
    ledger = ResourceLedger(tmp_path / "reserved", _OFFERED)
    one = ledger.reserve(ResourceDemand(cpu=3, memory=600, gpu=2))
    assert one is not None
    assert (0, 1) == one.gpus
    assert ledger.reserve(ResourceDemand(cpu=1.5)) is None
    assert ledger.reserve(ResourceDemand(memory=500)) is None
    assert ledger.reserve(ResourceDemand(gpu=2)) is None
    two = ledger.reserve(ResourceDemand(cpu=1, memory=400, gpu=1))
    assert two is not None
    assert (2,) == two.gpus
    one.release()
    again = ledger.reserve(ResourceDemand(gpu=2))
    assert again is not None
    assert (0, 1) == again.gpus


def test_memory_grows_where_it_fits(tmp_path: Path) -> None:
    """And not beyond what others have left."""
    ledger = ResourceLedger(tmp_path / "reserved", _OFFERED)
    one = ledger.reserve(ResourceDemand(memory=300))
    other = ledger.reserve(ResourceDemand(memory=300))
    assert one is not None
    assert other is not None
    assert one.grow(600)
    assert not other.grow(600)
    one.release()
    assert other.grow(600)
    assert Reservation().grow(10**12)


def test_a_killed_process_reserves_nothing(tmp_path: Path) -> None:
    """The kernel releases its lock, and the next reservation removes its file."""
    folder = tmp_path / "reserved"
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tea_runner.core.resource_demand import OfferedResources, ResourceDemand\n"
        "from tea_runner.host.resource_ledger import ResourceLedger\n"
        "ledger = ResourceLedger(Path(sys.argv[1]), OfferedResources(cpus=4))\n"
        "held = ledger.reserve(ResourceDemand(cpu=4))\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    reading, printed = os.pipe()
    with open(os.devnull, "wb") as nothing:
        child = process.start_process(
            [sys.executable, "-c", code, str(folder)],
            env=dict(os.environ),
            cwd=Path.cwd(),
            stdin=None,
            stdout=printed,
            stderr=nothing.fileno(),
        )
    os.close(printed)
    with open(reading, "rb") as said:
        assert b"held\n" == said.readline()
    ledger = ResourceLedger(folder, _OFFERED)
    assert not ledger.fits_now(ResourceDemand(cpu=1))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert ledger.fits_now(ResourceDemand(cpu=4))
    assert [] == list(folder.glob("*.json"))


def test_no_more_is_reserved_than_there_is(tmp_path: Path) -> None:
    """Twenty threads, each with a ledger of its own, as workers have."""
    most = []

    def work() -> None:
        ledger = ResourceLedger(tmp_path / "reserved", _OFFERED)
        for _ in range(20):
            held = ledger.reserve(ResourceDemand(cpu=1.5))
            if held is not None:
                most.append(len(list((tmp_path / "reserved").glob("*.json"))))
                held.release()

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2 == max(most)


def test_a_machine_offers_what_its_control_group_allows(tmp_path: Path) -> None:
    """Processors and memory of the machine, or less; and NVIDIA's graphics processors."""
    for name, text in (
        ("proc/meminfo", "MemTotal:  64000 kB\n"),
        ("sys/fs/cgroup/memory.max", "max\n"),
        ("sys/fs/cgroup/cpu.max", "50000 100000\n"),
        ("dev/nvidia0", ""),
        ("dev/nvidia11", ""),
        ("dev/nvidiactl", ""),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = machine_resources(tmp_path / "no/such", tmp_path)
    assert 0.5 == found.cpus
    assert 64_000 * 1024 == found.memory
    assert 2 == found.gpus
    assert (0, 11) == nvidia_gpus(tmp_path)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("4096\n")
    assert 4096 == machine_resources(tmp_path, tmp_path).memory
