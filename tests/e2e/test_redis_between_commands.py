"""Redis loses all, or some, between any two commands: the same commits come of it, by one look more.

The places are those between the commands of three plans and the jobs between them.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from redis.connection import AbstractConnection

from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import COPY, pfs, spec

pytestmark = pytest.mark.long

IN_GIT = {".gitattributes": "* annex.backend=MD5E\n* annex.largefiles=nothing\n"}
RAW = {"raw/a.txt": "a\n", "raw/b.txt": "b\n"}
SUM = spec("sum", 'cat "$PFS"/in/*.txt > "$PFS/out/all.txt"', pfs("up", "/"))


class Between:
    """Does something once, before one command is sent to Redis; counts commands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = 0
        self._due: dict[int, Callable[[], None]] = {}
        self._busy = False
        send = AbstractConnection.send_packed_command

        def watched(connection: AbstractConnection, *args: Any, **kwargs: Any) -> None:
            if not self._busy:
                self.sent += 1
                self._busy = True
                try:
                    self._due.pop(self.sent, lambda: None)()
                finally:
                    self._busy = False
            send(connection, *args, **kwargs)

        monkeypatch.setattr(AbstractConnection, "send_packed_command", watched)

    @contextlib.contextmanager
    def commands(self, due: dict[int, Callable[[], None]]) -> Iterator[None]:
        """Count anew; *due* happens before the commands of these numbers."""
        self.sent, self._due = 0, dict(due)
        yield
        self._due = {}


class Copy:
    """What stood in Redis once."""

    def __init__(self, connection: redis.Redis) -> None:
        self._redis = connection
        self._kept: list[tuple[bytes, int, Any]] = []

    def take(self) -> None:
        """Copy all."""
        names: Any = self._redis.keys("*")
        self._kept = [
            (name, max(0, int(self._redis.pttl(name))), self._redis.dump(name)) for name in names
        ]

    def restore(self) -> None:
        """All is as it was, and nothing else is there."""
        self._redis.flushall()
        for name, milliseconds, value in self._kept:
            self._redis.restore(name, milliseconds, value)


@pytest.fixture
def hands(lab: Lab) -> Iterator[Hands]:
    """Two files, a pipeline that copies them and one that reads what it made."""
    lab.create(files={**IN_GIT, **RAW, "up/spec.yml": spec("up", COPY), "sum/spec.yml": SUM})
    lab.push()
    made = Hands(lab)
    yield made
    made.close()


def begin_anew(hands: Hands, lab: Lab, text: str) -> list[str]:
    """A file is another one, and Redis knows nothing; returns what a commit of all is about."""
    lab.git("reset", "-q", "--hard", "origin/main")
    lab.write({"raw/a.txt": text})
    lab.git("commit", "-q", "-a", "-m", f"change {text}")
    lab.git("push", "-q", "origin", "main")
    hands.site.redis.flushall()
    return ["sum", "up", f"change {text}"]


def settled(lab: Lab) -> list[str]:
    """Pipelines of the latest results commits, the change that led to them, and the last result."""
    lab.git("fetch", "-q", "origin", "main")
    log = lab.git("log", "-3", "--format=%s", "origin/main").splitlines()
    names = [re.sub(r"^(\[DATALAD RUNCMD\] )?(\w+): .*", r"\2", line) for line in log]
    return [*names, lab.do("git", "show", "origin/main:sum/all.txt", check=False)]


def carry_out(hands: Hands, lab: Lab, harmed: Callable[[], bool] = lambda: False) -> None:
    """Announce, plan, work, publish, and the same for what follows; nothing new after the harm."""
    hands.site.plan_requests.request_plan(lab.name, "refs/heads/main", why="test")
    for step in (hands.plan, hands.work, hands.plan, hands.work, hands.plan):
        if harmed():
            return
        step()


@pytest.mark.parametrize("harm", ["wiped", "an old copy"])
def test_the_same_commits_come_of_it(
    lab: Lab, hands: Hands, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    """Whatever was forgotten: a look of the reconciler finds what is left to do."""
    chance, between = random.Random(1), Between(monkeypatch)
    begin_anew(hands, lab, "first")
    with between.commands({}):
        carry_out(hands, lab)
    assert ["sum", "up", "change first", "firstb\n"] == settled(lab)

    ends, wanted = {}, {}
    # A loss of all is tried at every place; old copies, of which there are many for each, at some.
    for at in range(1, between.sent + 1, 1 if harm == "wiped" else 4):
        about = begin_anew(hands, lab, str(at))
        wanted[at] = [*about, f"{at}b\n"]
        copy = Copy(hands.site.redis)
        due = {at: copy.restore}
        if harm != "wiped" and at > 1:
            due[chance.randrange(max(1, at - 12), at)] = copy.take
        with between.commands(due):
            carry_out(hands, lab, lambda at=at: between.sent >= at)
        hands.reconciler.round()
        lab.work_off()
        ends[at] = settled(lab)
    assert wanted == ends
