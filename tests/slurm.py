"""A real Slurm of one node on free ports of loopback, for a test.

The programs are ``slurmctld``, ``slurmd`` and ``munged`` on PATH; without them the tests are skipped aloud.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.e2e.test_whole_way import free_port

_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=10
CredType=cred/munge
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=2
SlurmdTimeout=30
DefMemPerCPU=100
MinJobAge=60
SchedulerParameters=sched_interval=2,batch_sched_delay=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=10
PartitionName=idle Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=10
"""
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Slurm:
    """The cluster; :attr:`variables` make Slurm's commands talk to it."""

    def __init__(self, folder: Path) -> None:
        """Start it, until its node is idle."""
        for program in ("slurmctld", "slurmd", "munged"):
            if shutil.which(program, path=f"{os.environ['PATH']}:{_PATH}") is None:
                pytest.skip(f"needs {program}: apt install slurmctld slurmd slurm-client munge")
        if os.geteuid():
            pytest.skip("needs slurmd, which runs as root")
        self.folder = folder
        for name in ("state", "spool", "munge"):
            (folder / name).mkdir(parents=True)
        for above in (folder, *folder.parents):
            if above.stat().st_uid == os.geteuid() and above != Path("/"):
                above.chmod(above.stat().st_mode | 0o011)
        self._env = {"PATH": f"{os.environ['PATH']}:{_PATH}", "HOME": str(folder)}
        host = socket.gethostname().split(".")[0]
        ports = {"controller": free_port(), "node": free_port()}
        conf = _CONF.format(
            host=host, user="root", folder=folder, cpus=len(os.sched_getaffinity(0)), **ports
        )
        (folder / "slurm.conf").write_text(conf)
        self.variables: Mapping[str, str] = {"SLURM_CONF": str(folder / "slurm.conf")}
        self._start_munge()
        self._processes: dict[str, process.Process] = {}
        for daemon in ("slurmctld", "slurmd"):
            self.start(daemon)
        self._wait_for_node()

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        (folder / "key").write_bytes(secrets.token_bytes(1024))
        (folder / "key").chmod(0o600)
        for path in (folder, folder / "key"):
            shutil.chown(path, "munge", "munge")
        folder.chmod(0o711)
        argv = ["setpriv", "--reuid", "munge", "--regid", "munge", "--clear-groups", "munged"]
        argv += ["--force", "--foreground", f"--socket={folder}/socket", f"--key-file={folder}/key"]
        argv += [f"--{name}-file={folder}/{name}" for name in ("log", "pid", "seed")]
        self._munge = process.start_process(argv, env=self._env, stderr=process.DEVNULL)

    def start(self, daemon: str) -> None:
        """Start ``slurmctld`` or ``slurmd``, which stays in the foreground."""
        with (self.folder / f"{daemon}.out").open("ab") as log:
            self._processes[daemon] = process.start_process(
                [daemon, "-D"], env={**self._env, **self.variables}, stdout=log, stderr=log
            )

    def kill(self, daemon: str) -> None:
        """End one of them by SIGKILL."""
        process.kill(self._processes.pop(daemon))

    def kill_node(self) -> None:
        """End slurmd and all that it started, as when the node loses its power."""
        self.kill("slurmd")
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                is_task = f"SLURM_CONF={self.folder}".encode() in path.read_bytes()
                words = (path.parent / "cmdline").read_bytes()
            except OSError:
                continue
            if is_task and (b"slurmstepd" in words or b"run-job" in words):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(path.parent.name), signal.SIGKILL)

    def call(self, *words: str) -> str:
        """What a command of Slurm prints."""
        env = {**self._env, **self.variables}
        return process.run(words, env=env, timeout=60).stdout.decode()

    def _wait_for_node(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            done = process.run(
                ["sinfo", "-h", "-o", "%T"], env={**self._env, **self.variables}, check=False
            )
            if done.stdout.strip() == b"idle":
                return
            time.sleep(0.3)
        pytest.fail("\n".join(path.read_text() for path in sorted(self.folder.glob("*.log"))))

    def stop(self) -> None:
        """End all of it, with what its tasks started."""
        process.run(
            ["scancel", "--user=root"], env={**self._env, **self.variables}, check=False, timeout=30
        )
        until = time.monotonic() + 20
        while time.monotonic() < until and self._busy():
            time.sleep(0.2)
        for running in reversed(self._processes.values()):
            process.kill(running)
        process.kill(self._munge)

    def _busy(self) -> bool:
        env = {**self._env, **self.variables}
        return bool(process.run(["squeue", "-h"], env=env, check=False, timeout=30).stdout.strip())


@contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """A cluster that ends with the test."""
    made = Slurm(folder)
    try:
        yield made
    finally:
        made.stop()
