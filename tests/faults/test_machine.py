"""A worker on a faulty host takes no job, reports why, and goes on when the host recovers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.e2e.pipelines import ATTRIBUTES
from tests.faults.test_processes import dataset, wait_for
from tests.faults.test_races import Hasty
from tests.faults.world import Role, World

ROLES = {
    "planner": ("planner", "one"),
    "reconcile": ("reconcile", "one"),
    "worker": ("worker", "small"),
}
MIB = 1 << 20
#: A scratch folder of its own, which nobody but the worker sees: no rights are needed for it.
_SMALL = 'mount -t tmpfs -o size=32m,nr_inodes=1000 scratch "$0" && exec "$@"'

#: What is done to the folder ``$0``, and how it is undone, with the worker's words for it.
HARM = {
    "full": ("cat /dev/zero > ballast", "rm ballast", "has 0 MiB free; worker.free asks for 8"),
    "without room for files": (
        "mkdir many && cd many && seq 2000 | xargs touch",
        "rm -r many",
        "has 0 free inodes only",
    ),
    "read-only": (
        "mount -o remount,ro .",
        "mount -o remount,rw .",
        "cannot be written: Read-only file system",
    ),
}


class SmallWorld(World):
    """As its parent, but the worker's scratch folder is small."""

    @property
    def scratch(self) -> Path:
        """Where it is, as the worker sees it."""
        return self.root / "small" / "scratch"

    def command(self, role: Role) -> list[str]:
        """The worker is started where its scratch is small."""
        usual = super().command(role)
        if role.verb != "worker":
            return usual
        self.scratch.mkdir(exist_ok=True)
        return ["unshare", "-Urm", "sh", "-c", _SMALL, str(self.scratch), *usual]

    def inside(self, shell: str) -> str:
        """Do something in the worker's scratch folder; how it ends does not matter."""
        pid = str(self.roles["worker"].pid)
        argv = ["nsenter", "--preserve-credentials", "-U", "-m", "-t", pid, "sh", "-c"]
        done = process.run(
            [*argv, f'cd "$0" && {{ {shell}; }}', str(self.scratch)], env=self.env, check=False
        )
        return bytes(done.stdout).decode()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SmallWorld]:
    """A planner, a reconciler, a worker with little room."""
    trial = ["unshare", "-Urm", "sh", "-c", _SMALL, str(tmp_path), "true"]
    with SmallWorld(tmp_path / "world", ROLES, free=8 * MIB) as made:
        if process.run(trial, env=made.env, check=False).returncode:
            pytest.skip("a user may not mount anything of his own here")
        yield made


def test_a_worker_without_scratch_waits_and_comes_back(tmp_path: Path, world: SmallWorld) -> None:
    """Full, without room for files, read-only, and full under a running command: no push is lost."""
    ran, hold, running = (tmp_path / name for name in ("ran", "hold", "running"))
    command = (
        f"echo x >> {ran}; touch {running}; while [ -e {hold} ]; do sleep 0.05; done; "
        'for f in "$PFS"/in/*; do tr a-z A-Z < "$f" > "$PFS/out/${f##*/}"; done'
    )
    rules = ATTRIBUTES[".gitattributes"].replace("raw/**", "no")
    dataset(tmp_path / "lab", world, command, attributes=rules)
    hasty = Hasty(world, "data")
    worker = world.roles["worker"]
    wait_for(lambda: hasty.content("up/a.txt") == "A")

    for how, (harm, mend, words) in HARM.items():
        before, said = ran.read_text(), len(worker.said())
        world.inside(harm)
        hasty.commit({"raw/a.txt": f"{how}\n"})
        wait_for(lambda said=said, words=words: _waits(worker, said, words))
        assert before == ran.read_text(), how
        world.inside(mend)
        wait_for(lambda how=how: hasty.content("up/a.txt") == how.upper())
        assert "taking jobs again" in worker.said()[said:]

    said = len(worker.said())
    hold.touch()
    running.unlink()
    hasty.commit({"raw/a.txt": "in the middle\n"})
    wait_for(running.exists)
    world.inside(HARM["full"][0])
    hold.unlink()
    wait_for(lambda: _waits(worker, said, HARM["full"][2]))
    world.inside(HARM["full"][1])
    wait_for(lambda: hasty.content("up/a.txt") == "IN THE MIDDLE")
    assert 1 == worker.starts
    wait_for(lambda: "job-" not in world.inside("find . -name 'job-*'"), 10)


def _waits(worker: Role, said: int, words: str) -> bool:
    return (
        f"taking no jobs: {worker.log.parents[1] / 'small' / 'scratch'} {words}"
        in (worker.said()[said:])
    )
