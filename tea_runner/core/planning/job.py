"""Jobs: sets of datums of one pipeline at one commit, signed by the planner.

A job names a commit and labels; the worker derives everything else from git.
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
from tea_runner.core.git.branch_results_scope import queue_namespace, results_prefix
from tea_runner.core.planning.message_version import VERSION, require_readable
from tea_runner.core.planning.plan import Decision
from tea_runner.core.planning.worker_requirement import Need, class_text, read_need
from tea_runner.core.resource_demand import (
    NO_DEMAND,
    ResourceDemand,
    demand_text,
    read_demand,
)

#: Jobs of a pipeline of unknown throughput, unless its sets would grow too large.
_JOBS = 32
_LARGEST_SET = 500
#: Up to this number of datums of unknown throughput, each is a job of its own.
_SINGLE = 64
#: Duration of a job, in seconds: its datums share queue, claim and push, and the loss of a worker
#: costs little.
_SECONDS = 2.0
#: Seconds more for each worker.  A job is a push of some 30 ms, and a repository takes one at a time,
#: so that any number of workers keeps it busy for at most a third of the time.
_PUSH = 0.1


class Throughput(NamedTuple):
    """How fast a pipeline's last datums were."""

    #: Of one datum, with its share of the job's overhead.
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
    #: Id of the recompute request, if one asked for it.
    salt: str = ""
    #: Scope of its results; see :mod:`tea_runner.core.git.branch_results_scope`.
    scope: str = ""
    #: Number of the jobs with the same datums that have failed before; empty for none.
    retry: str = ""
    #: The pipeline's image by digest, if the pipeline file names it without.
    image: str = ""
    #: Identity of the software that a command without an image has to see; empty for any.
    software: str = ""
    #: Values of the pipeline's variables that somebody has set, sorted by name.
    variables: tuple[tuple[str, str], ...] = ()
    #: What its worker must offer, and reserve for it.
    needs: Need = "host"
    demand: ResourceDemand = NO_DEMAND

    @property
    def id(self) -> str:
        """32 hex digits from the keys: the same datums are the same job, until it has failed."""
        keys = (key for _, key in self.datums)
        more = [self.scope] if self.scope else []
        more += [f"retry {self.retry}"] if self.retry else []
        text = "\n".join([self.repository, self.salt, *more, *keys])
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    @property
    def ref(self) -> str:
        """The ref of its results until the pipeline is settled."""
        return f"{results_prefix(self.scope)}{self.id}"

    @property
    def worker_class(self) -> str:
        """Its class, which names its queue; see :mod:`tea_runner.core.planning.worker_requirement`."""
        return class_text(self.needs, self.demand)

    @property
    def queue_namespace(self) -> str:
        """Prefix of its keys in the queue."""
        return queue_namespace(self.repository, self.scope)


def batch_datums(
    decisions: Sequence[Decision],
    *,
    number: int | None = None,
    most: int | None = None,
    throughput: Throughput | None = None,
    size_bytes: int | None = None,
    bytes_of: Callable[[Decision], int] = lambda _: 0,
) -> list[list[Decision]]:
    """Divide datums into sets, one per job: single datums while they are few, larger sets of many.

    :param number: Pachyderm's ``datum_set_spec.number``: datums in each set.
    :param most: Pachyderm's ``parallelism_spec.constant``, less the jobs in flight: the largest number
        of sets; none at all when it is 0.
    :param throughput: where it is known, a set takes a worker some seconds, and each worker has some.
    :param size_bytes: Pachyderm's ``datum_set_spec.size_bytes``: a set is full when its inputs have
        that many; *most* takes precedence.
    """
    if not decisions or most == 0:
        return []
    size = number or _set_size(len(decisions), throughput)
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
    # However small the sets by bytes are, there are no more than *most*: neighbours are joined.
    together = -(-len(sets) // most) if most else 1
    return [
        [decision for each in sets[start : start + together] for decision in each]
        for start in range(0, len(sets), together)
    ]


def _set_size(datums: int, throughput: Throughput | None) -> int:
    if throughput is not None:
        workers = max(1, throughput.workers)
        seconds = max(_SECONDS, _PUSH * workers)
        size = max(1, min(_LARGEST_SET, int(seconds / max(throughput.seconds, 1e-6))))
        # Each worker has the same number of sets, so that all end at about the same time.
        sets = workers * math.ceil(datums / size / workers)
        return math.ceil(datums / sets)
    return 1 if datums <= _SINGLE else min(_LARGEST_SET, -(-datums // _JOBS))


def job_text(job: Job) -> str:
    """The job as JSON text."""
    fields = asdict(job)
    if not job.software:
        del fields["software"]
    if not job.variables:
        del fields["variables"]
    if job.needs == "host":
        # So that workers of former versions, which know of no other need, can read it.
        del fields["needs"]
    del fields["demand"]
    if job.demand:
        fields["demand"] = demand_text(job.demand)
    return json.dumps(fields, sort_keys=True)


def read_job(text: str) -> Job:
    """The job in a text of :func:`job_text`.

    :raises Refused: when the text is no job.
    """
    try:
        fields = json.loads(text)
        datums = tuple((str(label), str(key)) for label, key in fields.pop("datums"))
        pins = tuple((str(path), str(pin)) for path, pin in fields.pop("pins", ()))
        variables = tuple((str(n), str(value)) for n, value in fields.pop("variables", ()))
        needs = read_need(str(fields.pop("needs", "host")))
        demand = read_demand(str(fields.pop("demand", "")))
        texts = {name: str(value) for name, value in fields.items()}
        return Job(
            datums=datums, pins=pins, variables=variables, needs=needs, demand=demand, **texts
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("the description of a job cannot be read") from error


def seal_job(job: Job, secret: bytes) -> str:
    """The job's text with an HMAC (RFC 2104, SHA-256) of the planner, as JSON."""
    body = job_text(job)
    return json.dumps({"body": body, "mac": _mac(body, secret), "version": VERSION})


def unseal_job(text: str, secret: bytes) -> Job:
    """The job in a sealed text.

    :raises Refused: when the HMAC is not that of this secret, or the text is no job.
    :raises NewerMessage: when a newer planner wrote it.
    """
    try:
        document = json.loads(text)
        require_readable(document.get("version"))
        body, mac = document["body"], document["mac"]
        is_sealed = hmac.compare_digest(_mac(body, secret).encode(), str(mac).encode())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("a job in the queue cannot be read") from error
    if not is_sealed:
        raise Refused("a job in the queue has no valid seal of the planner")
    return read_job(body)


def _mac(body: str, secret: bytes) -> str:
    return hmac.new(secret, body.encode("utf-8", "surrogateescape"), "sha256").hexdigest()
