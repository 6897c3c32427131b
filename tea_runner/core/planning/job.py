"""What one worker does at once, as a value: which datums of which pipeline at which commit.

A job says only "look at this commit": the worker derives everything else from git again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from tea_runner.core.errors import Refused
from tea_runner.core.git.scope import queue_namespace, refs_of
from tea_runner.core.planning.plan import Decision

#: Jobs that one pipeline of unknown pace is cut into, unless sets would grow too large.
_JOBS = 32
_LARGEST_SET = 500
#: Up to so many datums of unknown pace, each is a job of its own.
_SINGLE = 64
#: How long a job should take: queue, claim and push are shared, and not much is lost with a worker.
_SECONDS = 2.0
#: How long it should take for each worker besides: a job is a push, and a repository takes one at a
#: time, of some 30 ms.  So no number of workers keeps it busy for more than a third of the time.
_PUSH = 0.1


class Throughput(NamedTuple):
    """How fast a pipeline's datums were of late."""

    #: Of one datum, all that a job costs included.
    seconds: float
    #: Workers that can share them.
    workers: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A set of datums of one pipeline."""

    repository: str
    branch: str
    commit: str
    pipeline: str
    #: (label, key) of each datum, sorted by key.
    datums: tuple[tuple[str, str], ...]
    #: Subdatasets that are read at another commit than the tree says: (path, commit).
    pins: tuple[tuple[str, str], ...] = ()
    #: Distinguishes a forced repetition of the same datums.
    salt: str = ""
    #: Whose results it makes; see :mod:`tea_runner.core.git.scope`.
    scope: str = ""

    @property
    def id(self) -> str:
        """32 hex digits from the keys: the same datums are the same job."""
        keys = (key for _, key in self.datums)
        text = "\n".join([self.repository, self.salt, *([self.scope] if self.scope else []), *keys])
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    @property
    def ref(self) -> str:
        """Where its results stand until the pipeline is settled."""
        return f"{refs_of(self.scope)}{self.id}"

    @property
    def queue_namespace(self) -> str:
        """Under which name its keys are kept in the queue."""
        return queue_namespace(self.repository, self.scope)


def batch_datums(
    decisions: Sequence[Decision],
    *,
    number: int | None = None,
    most: int | None = None,
    pace: Throughput | None = None,
    size_bytes: int | None = None,
    bytes_of: Callable[[Decision], int] = lambda _: 0,
) -> list[list[Decision]]:
    """Sets of datums, one per job: single datums while they are few, larger sets when they are many.

    :param number: ``datum_set_spec.number``: that many datums in each set.
    :param most: ``parallelism_spec.constant``, less the jobs under way: at most so many sets, which is
        what can run at once; none at all when it is 0.
    :param pace: where it is known, sets are as large as takes a worker a while, and all have some.
    :param size_bytes: ``datum_set_spec.size_bytes``: a set is full when its inputs have so many;
        *most* goes before it.
    """
    if not decisions or most == 0:
        return []
    size = number or _set_size(len(decisions), pace)
    if most:
        size = max(size, -(-len(decisions) // most))
    ordered = sorted(decisions, key=lambda decision: decision.key)
    if not size_bytes:
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]
    sets: list[list[Decision]] = []
    filled = 0
    for decision in ordered:
        if not sets or filled >= size_bytes or (number and len(sets[-1]) >= number):
            sets.append([])
            filled = 0
        sets[-1].append(decision)
        filled += bytes_of(decision)
    # The cap holds however small the bytes make the sets: neighbours are put together.
    together = -(-len(sets) // most) if most else 1
    return [
        [decision for each in sets[start : start + together] for decision in each]
        for start in range(0, len(sets), together)
    ]


def _set_size(datums: int, pace: Throughput | None) -> int:
    if pace is not None:
        workers = max(1, pace.workers)
        seconds = max(_SECONDS, _PUSH * workers)
        size = max(1, min(_LARGEST_SET, int(seconds / max(pace.seconds, 1e-6))))
        # Each worker gets as many sets as the others, so that none ends long before them.
        sets = workers * math.ceil(datums / size / workers)
        return math.ceil(datums / sets)
    return 1 if datums <= _SINGLE else min(_LARGEST_SET, -(-datums // _JOBS))


def seal_job(job: Job, secret: bytes) -> str:
    """The job as text that carries a proof that the planner wrote it."""
    body = json.dumps(asdict(job), sort_keys=True)
    return json.dumps({"body": body, "mac": _mac(body, secret)})


def unseal_job(text: str, secret: bytes) -> Job:
    """The job in a sealed text.

    :raises Refused: when it was not written by who knows the secret.
    """
    try:
        document = json.loads(text)
        body, mac = document["body"], document["mac"]
        if not hmac.compare_digest(_mac(body, secret).encode(), str(mac).encode()):
            raise Refused("a job in the queue does not carry the planner's seal; it was dropped")
        fields = json.loads(body)
        datums = tuple((str(label), str(key)) for label, key in fields.pop("datums"))
        pins = tuple((str(path), str(pin)) for path, pin in fields.pop("pins", ()))
        return Job(datums=datums, pins=pins, **{name: str(value) for name, value in fields.items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("a job in the queue is not one of ours; it was dropped") from error


def _mac(body: str, secret: bytes) -> str:
    return hmac.new(secret, body.encode("utf-8", "surrogateescape"), "sha256").hexdigest()
