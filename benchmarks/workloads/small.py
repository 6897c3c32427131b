"""500 small datums: the first run, nothing changed, one input changed; whole way, push to results."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.datasets import PFS_SPEC, small_files
from benchmarks.figure import Book, Plan
from benchmarks.peers.datalad_loop import DataladLoop
from benchmarks.peers.datalad_run import DataladRun
from benchmarks.peers.dvc import Dvc
from benchmarks.peers.floor import Floor, SandboxedFloor
from benchmarks.peers.make import Make
from benchmarks.peers.peer import Peer
from benchmarks.peers.snakemake import Snakemake
from benchmarks.stand import Stand
from tea_runner.core.errors import TeaError

FIRST = "{n} small datums, first run, per datum"
SAME = "{n} small datums, nothing changed"
ONE = "{n} small datums, 1 changed"


class Ours:
    """This program, with warm planner and two warm workers."""

    def __init__(self, root: Path, count: int, sandbox: str) -> None:
        self.count = count
        self.who = "tea-runner" if sandbox == "bwrap" else "tea-runner, sandbox off"
        self.goals = (8.0, 0.1, 0.4) if sandbox == "bwrap" else (4.0, 0.1, 0.4)
        self.stand = Stand(root, sandbox=sandbox)
        self.stand.create(files={})
        small_files(self.stand.dataset, count)
        with (self.stand.dataset / ".gitattributes").open("a") as file:
            file.write("*.yml annex.largefiles=nothing\n")
        self.base = self.stand.save("inputs")
        self.stand.push()
        self._round = 0
        self.stand.start()
        try:
            for _ in range(2):
                self._first()  # warm: mirrors, pipes, annex, and what a datum takes
        except BaseException:
            self.stand.close()
            raise

    def _first(self) -> float:
        stand = self.stand
        self._round += 1
        stand.git("reset", "-q", "--hard", self.base)
        stand.write({"sums/spec.yml": PFS_SPEC % self._round})
        stand.git("add", "sums/spec.yml")
        stand.git("commit", "-q", "-m", "pipeline")
        began = time.perf_counter()
        commit = stand.push_now()
        end = stand.results(commit)
        stand.planned(stand.head())
        return end - began

    def _next(self, path: str, text: str) -> None:
        stand = self.stand
        stand.git("pull", "-q", "--ff-only", "origin", "main")
        stand.write({path: text})
        stand.do("git", "annex", "add", "--quiet", path)
        stand.git("commit", "-q", "-m", "change")
        stand.do("git", "annex", "copy", "--quiet", "--to", "store", path)

    def round(self, book: Book) -> None:
        """All three once."""
        n = self.count
        seconds = self._first()
        book.add(
            FIRST.format(n=n), self.who, 1000 * seconds / n, unit="ms/datum", goal=self.goals[0]
        )
        self._next("README", f"{self._round}")
        began = time.perf_counter()
        commit = self.stand.push_now()
        end = self.stand.planned(commit)
        assert self.stand.head() == commit
        book.add(SAME.format(n=n), self.who, end - began, goal=self.goals[1])
        self._next("in/f00000.txt", f"changed {self._round}")
        began = time.perf_counter()
        commit = self.stand.push_now()
        end = self.stand.results(commit)
        self.stand.planned(self.stand.head())
        book.add(ONE.format(n=n), self.who, end - began, goal=self.goals[2])

    def close(self) -> None:
        """End it."""
        self.stand.close()


class Theirs:
    """A peer in the same three situations."""

    def __init__(self, peer: Peer, dataset: Path, count: int) -> None:
        self.peer, self.dataset, self.count = peer, dataset, count

    def round(self, book: Book) -> None:
        """All three once."""
        peer, n = self.peer, self.count
        done = peer.count or n
        peer.begin(self.dataset)
        seconds = _seconds(peer)
        book.add(
            FIRST.format(n=n), peer.name, 1000 * seconds / done, unit="ms/datum", note=peer.note
        )
        if isinstance(peer, DataladLoop):
            return
        book.add(SAME.format(n=n), peer.name, _seconds(peer), note=peer.note)
        peer.change()
        book.add(ONE.format(n=n), peer.name, _seconds(peer), note=peer.note)

    def close(self) -> None:
        """Remove its copy."""
        shutil.rmtree(self.peer.room, ignore_errors=True)


def _seconds(peer: Peer) -> float:
    began = time.perf_counter()
    peer.run()
    return time.perf_counter() - began


def measure(root: Path, book: Book, plan: Plan) -> None:
    """Ours and theirs, in turns."""
    n = 500
    ours = [Ours(root / f"ours-{kind}", n, kind) for kind in ("bwrap", "off")]
    contenders: list[Ours | Theirs] = [*ours]
    peers: Sequence[type[Peer]] = (
        Floor,
        SandboxedFloor,
        Make,
        Snakemake,
        Dvc,
        DataladRun,
        DataladLoop,
    )
    for kind in peers:
        peer = kind(root / kind.__name__)
        if plan.long:
            peer.count = None
        problem = peer.problem()
        if problem:
            book.leave_out(peer.name, problem)
        else:
            contenders.append(Theirs(peer, ours[0].stand.dataset, n))
    # The peers' copies: the inputs alone.
    ours[0].stand.git("reset", "-q", "--hard", ours[0].base)
    broken: list[Theirs] = []
    try:
        for number in range(plan.rounds):
            for contender in contenders:
                slow = isinstance(contender, Theirs) and isinstance(
                    contender.peer, (Dvc, DataladLoop, Snakemake)
                )
                if contender in broken or (number and slow):
                    continue
                try:
                    contender.round(book)
                except (TeaError, OSError) as error:
                    if isinstance(contender, Ours):
                        raise
                    # A peer that does not run here is no reason to lose the others' figures.
                    broken.append(contender)
                    book.leave_out(contender.peer.name, str(error).splitlines()[0][:120])
                if isinstance(contender, Ours):
                    contender.stand.git("reset", "-q", "--hard", contender.base)
    finally:
        for contender in contenders:
            contender.close()
