"""What the broker's classes raise while Redis is away or declines: QueueError, or nothing at all."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

import tea_runner.broker
from tea_runner.broker.approval_and_pause_store import OrderStore
from tea_runner.broker.asked_ticks import BranchAskedTicks
from tea_runner.broker.connection import connect
from tea_runner.broker.datum_durations import ThroughputStore
from tea_runner.broker.datum_key_states import DatumKeyStates
from tea_runner.broker.datum_measures import MeasureStore
from tea_runner.broker.delivery_counts import DeliveryCounts
from tea_runner.broker.fair_job_turns import JobTurns
from tea_runner.broker.job_index import JobIndex
from tea_runner.broker.job_logs import JobLog, LogReader
from tea_runner.broker.job_reader import JobReader
from tea_runner.broker.job_store import Claim, JobStore
from tea_runner.broker.live_processes import LiveProcesses, ProcessFacts
from tea_runner.broker.metric_counters import MetricCounters
from tea_runner.broker.notice_states import NoticeStates
from tea_runner.broker.plan_requests import PlanRequestStore
from tea_runner.broker.planner_query_store import QuestionStore
from tea_runner.broker.planner_signing_keys import ResultsSigners
from tea_runner.broker.publication_counts import BranchPublicationCounts
from tea_runner.broker.pull_request_notes import PullRequestNote, PullRequestNotes
from tea_runner.broker.queue_consistency import QueueConsistency
from tea_runner.broker.recent_trigger_events import EventList
from tea_runner.broker.recompute_requests import BranchRecomputeRequests
from tea_runner.broker.redis_server import EvictionPolicy, RedisServer
from tea_runner.broker.repair_log import RepairLog
from tea_runner.broker.rq_queues import Queues
from tea_runner.broker.run_store import RunStore
from tea_runner.broker.schedule_times import ScheduleTimes
from tea_runner.broker.session_store import SessionStore
from tea_runner.broker.sign_in_attempts import SignInAttempts
from tea_runner.broker.signing_key_fingerprint import QueueKeyFingerprint
from tea_runner.broker.superdataset_triggers import SuperdatasetStore
from tea_runner.broker.token_store import TokenStore
from tea_runner.core.errors import QueueError
from tea_runner.core.planning.approval_or_pause import Order
from tea_runner.core.planning.asked_tick import AskedTick
from tea_runner.core.planning.job_and_datum_details import JobDetails
from tea_runner.core.planning.planner_query import RunQuestion
from tea_runner.core.planning.recompute_verdict import RecomputeVerdict
from tea_runner.core.planning.run import Run
from tea_runner.wiring import Site
from tests.looking import EVENT, REPOSITORY, make_job

JOB = make_job()
CLAIM = Claim(job=JOB, token="token", attempt=1)
RUN = Run(id="1" * 12, repository=REPOSITORY, branch="main", commit="1" * 40, pipelines=[])
QUESTION = RunQuestion(kind="plan", repository=REPOSITORY, branch="main", commit="1" * 40)
ASKED = AskedTick(pipeline="p", tick="t")
VERDICT = RecomputeVerdict(pipeline="edges", datum="a", key="k", outcome="ok")


def job_store(connection: redis.Redis) -> JobStore:
    """On this connection."""
    return JobStore(connection, Queues(connection).enqueue, secret=b"secret")


def plan_requests(connection: redis.Redis) -> PlanRequestStore:
    """On this connection."""
    return PlanRequestStore(connection, Queues(connection).enqueue)


#: How each class is made, and its public methods with arguments for which Redis must be asked.
Made = Callable[[redis.Redis], Any]
Table = dict[type, tuple[Made, dict[str, tuple[Any, ...]]]]
_LINE = {"x": ("host", REPOSITORY)}
CONTRACT: Table = {
    JobStore: (
        job_store,
        {
            "enqueue": (JOB,),
            "move": (JOB, "c" * 40),
            "subscribe": (REPOSITORY, "main", JOB.id),
            "claim": (JOB.id, "worker", "token"),
            "extend": (CLAIM,),
            "release": (CLAIM,),
            "retry_later": (CLAIM, "why"),
            "put_off": (CLAIM,),
            "count": (JOB.id, "bugs"),
            "finish": (CLAIM, "done"),
            "cancel": (JOB.id,),
            "unsubscribe": (JOB, REPOSITORY, "main", "why"),
        },
    ),
    DatumKeyStates: (
        lambda connection: DatumKeyStates(connection, secret=b"secret"),
        {
            "in_flight": (REPOSITORY, ["key"]),
            "failures": (REPOSITORY, ["key"]),
            "missing": (REPOSITORY, ["key"]),
            "running": ([JOB.id],),
            "forget_failures": (REPOSITORY, ["key"]),
            "record_missing": (JOB, "tip", "why"),
        },
    ),
    JobReader: (
        lambda connection: JobReader(connection, secret=b"secret"),
        {
            "get": (JOB.id,),
            "facts": ([JOB.id],),
            "heads": ([JOB.id], {}),
            "next_attempt": (JOB,),
            "ids_starting_with": ("12",),
            "live": (),
            "waiting": (),
            "states": ([JOB.id],),
            "subscribers": (JOB.id,),
            "of_other_pushes": (REPOSITORY, "main", [JOB.id], "c" * 40),
        },
    ),
    JobIndex: (JobIndex, {"live": (), "starting_with": ("1",), "rebuild": (), "check": (["1"],)}),
    SessionStore: (
        lambda connection: SessionStore(connection, b"key", 60),
        {"begin": ({},), "get": ("id",), "change": ("id", {}), "end": ("id",)},
    ),
    TokenStore: (
        lambda connection: TokenStore(connection, b"key"),
        {"make": ("a", {}), "get": ("x",), "listed": ("a",), "revoke": ("a", "x")}
        | {"change": ("x", {}), "end": ("x",)},
    ),
    SignInAttempts: (SignInAttempts, {"is_over": ({"ada": 1},), "count": ({"ada": 1},)}),
    Queues: (
        Queues,
        {
            "enqueue": ("job", "x"),
            "length": ("job",),
            "length_of": ("host",),
        }
        | {"lengths": (), "classes": (), "queued": ("job",)}
        | {"take_turn": ("x",), "end_turn": ("x",), "held": ([("host", REPOSITORY)],)}
        | {"in_line": ({"x": ("host", REPOSITORY)},)},
    ),
    JobTurns: (
        JobTurns,
        {"put": ("x",), "classes": (), "take": ("x",), "end": ("x",)}
        | {"held": ([("host", "a/b")],), "in_line": ({"x": ("host", "a/b")},)},
    ),
    LiveProcesses: (
        LiveProcesses,
        {"beat": (ProcessFacts(name="w", kind="job"),), "leave": ("w",)}
        | {"drain": (["h"],), "is_draining": ("h",)}
        | {"all": (), "sweep": (), "problems": (), "offers": ()},
    ),
    EventList: (EventList, {"add": ([EVENT],), "latest": (), "counts": ()}),
    RepairLog: (RepairLog, {"add": (["planned"], 1.0), "latest": ()}),
    NoticeStates: (
        NoticeStates,
        {"get": (REPOSITORY, "main"), "put": (REPOSITORY, "main", "failed")},
    ),
    PullRequestNotes: (
        lambda connection: PullRequestNotes(connection, REPOSITORY),
        {
            "all": (),
            "get": (1,),
            "put": (1, PullRequestNote(commit="1" * 40)),
            "forget": ([1],),
        }
        | {"of_branch": ("main",), "proposed": ("main",), "note_proposed": ("main", "1" * 40)},
    ),
    PlanRequestStore: (
        plan_requests,
        {
            "request_plan": (REPOSITORY, "refs/heads/main"),
            "lock": (REPOSITORY, "main"),
            "begin": (REPOSITORY, "main"),
            "complete": (REPOSITORY, "main", "1" * 40, "token"),
            "planned": (REPOSITORY, "main"),
            "waits_for_content": (REPOSITORY,),
        },
    ),
    SuperdatasetStore: (
        lambda connection: SuperdatasetStore(connection, plan_requests(connection)),
        {"register": ("a/b", "main", [REPOSITORY]), "announce": (REPOSITORY, "main", "1" * 40)},
    ),
    BranchAskedTicks: (
        lambda each: BranchAskedTicks(each, REPOSITORY, "main", secret=b"s"),
        {"add": (ASKED,), "pending": (), "recorded": (ASKED,)},
    ),
    ScheduleTimes: (ScheduleTimes, {"put": (REPOSITORY, "main", 1.0), "due": (1.0,), "listed": ()}),
    QueueKeyFingerprint: (lambda c: QueueKeyFingerprint(c, b"s"), {"state": (), "register": ()}),
    ResultsSigners: (ResultsSigners, {"register": ("SHA256:x",), "forget": ("SHA256:x",)}),
    BranchPublicationCounts: (
        lambda connection: BranchPublicationCounts(connection, REPOSITORY, "main"),
        {"of": ("inputs",), "add": ("inputs", "edges"), "reset": ()},
    ),
    BranchRecomputeRequests: (
        lambda connection: BranchRecomputeRequests(
            connection, REPOSITORY, "main", job_store(connection)
        ),
        {
            "add": (["key"], "request"),
            "pending": (),
            "complete": (["key"],),
            "record_verdicts": ("request", [VERDICT]),
            "ledger": (),
            "cancel_jobs_except": ([],),
            "exclusive": (),
        },
    ),
    QueueConsistency: (
        lambda connection: QueueConsistency(connection, Queues(connection)),
        {
            "jobs": (),
            "requests": (),
            "pending": (REPOSITORY, "main"),
            "enqueue": ("job", "x"),
            "unplanned": (REPOSITORY, {"main": "1" * 40}, ["main"]),
            "replan_failed_commit_statuses": (1,),
            "forget": (REPOSITORY, {}),
        },
    ),
    OrderStore: (
        lambda connection: OrderStore(connection, secret=b"secret", copy=Path("/nonexistent/copy")),
        {"put": (Order(kind="pause"),), "all": (), "lately": (), "restore": ()},
    ),
    QuestionStore: (
        lambda connection: QuestionStore(connection, Queues(connection).enqueue, secret=b"secret"),
        {"ask": (QUESTION,), "put_answer": (QUESTION, {}), "answer": (QUESTION,)}
        | {"take": ("x",), "withdraw": ("x",)},
    ),
    RunStore: (
        RunStore,
        {
            "save": (RUN,),
            "current": (REPOSITORY, "main"),
            "head": (RUN.id,),
            "request": (REPOSITORY, "main", "retry requested"),
            "note_trouble": (RUN, "why"),
            "note_cancelled": (RUN.id, "ada"),
            "supersede": (RUN.id, "why"),
            "open": (),
            "close": (RUN.id,),
            "index": (),
            "next": (RUN.id,),
            "get": (RUN.id,),
            "latest": (),
            "recent": (),
            "repositories": (),
            "run_of_job": (JOB.id,),
            "repository_of": (RUN.id,),
            "repository_of_job": (JOB.id,),
            "find": (RUN.id,),
            "commit_statuses": (REPOSITORY, "1" * 40),
            "note_commit_status": (REPOSITORY, "1" * 40, "context", "text"),
        },
    ),
    LogReader: (
        lambda connection: LogReader(connection, JOB.id),
        {"size": (), "read": (0, 9), "more": (), "marks": (), "original": (1,), "shown": (1,)},
    ),
    JobLog: (lambda connection: JobLog(connection, JOB.id, 1 << 20), {"start": ()}),
    MeasureStore: (
        MeasureStore,
        {
            "save": ("job", []),
            "get": (["job"],),
            "save_details": ("job", JobDetails()),
            "details": ("job",),
        },
    ),
}
SILENT: Table = {
    JobStore: (job_store, {"holds": (CLAIM,), "is_cancelled": (CLAIM,), "problem": ()}),
    JobLog: (
        lambda connection: JobLog(connection, JOB.id, 1 << 20),
        {"write": (b"x" * 999,), "flush": (), "together": (1.0,)},
    ),
    ThroughputStore: (ThroughputStore, {"record": (REPOSITORY, "a"), "get": (REPOSITORY, "a")}),
    MetricCounters: (
        MetricCounters,
        {"observe": (), "count": ("jobs", "done"), "note_reconciled": (), "read": ()},
    ),
    DeliveryCounts: (DeliveryCounts, {"count": ("accepted",), "send": (), "counts": ()}),
    EvictionPolicy: (EvictionPolicy, {"problem": ()}),
    QueueKeyFingerprint: (
        lambda connection: QueueKeyFingerprint(connection, b"secret"),
        {"problem": (), "keep": ()},
    ),
}
KEYWORDS: dict[str, dict[str, Any]] = {
    "request_plan": {"why": "push"},
    "put_off": {"wait": 1},
    "make": {"name": "n", "scope": "read", "days": 1},
    "record": {"datums": 1, "seconds": 1.0},
    "register": {"replace": True},
}
#: They need no answer for these arguments.
NOTHING_TO_ASK = {(JobStore, "set_fields")}


def rows(
    table: Table,
) -> list[Any]:
    """One parameter for each method."""
    return [
        pytest.param(make, name, arguments, id=f"{cls.__name__}.{name}")
        for cls, (make, methods) in table.items()
        for name, arguments in methods.items()
    ]


@pytest.fixture(params=["away", "declines"])
def broken(
    request: pytest.FixtureRequest, broker: RedisServer, site: Site
) -> Iterator[redis.Redis]:
    """A connection to no server, and one to a server that forbids every command."""
    if request.param == "away":
        yield connect("unix:///nonexistent/redis.sock")
        return
    site.redis.execute_command(
        "ACL", "SETUSER", "nobody", "on", ">word", "-@all", "+auth", "+select"
    )
    connection = connect(broker.url.replace("unix://", "unix://nobody:word@"))
    yield connection
    connection.close()
    site.redis.execute_command("ACL", "DELUSER", "nobody")


def call(part: Any, name: str, arguments: tuple[Any, ...]) -> None:
    """Call a method; read the generator or enter the context that it returns."""
    words = (
        {}
        if name == "register" and not isinstance(part, QueueKeyFingerprint)
        else KEYWORDS.get(name, {})
    )
    answer = getattr(part, name)(*arguments, **words)
    if inspect.isgenerator(answer):
        list(answer)
    elif isinstance(answer, contextlib.AbstractContextManager):
        with answer:
            pass


@pytest.mark.parametrize(("make", "name", "arguments"), rows(CONTRACT))
def test_an_error_of_redis_is_a_queue_error(
    broken: redis.Redis, make: Made, name: str, arguments: tuple[Any, ...]
) -> None:
    """The cause is kept, and the message says what to look at."""
    with pytest.raises(
        QueueError, match=r"Redis does not answer as it should: .*redis\.url"
    ) as met:
        call(make(broken), name, arguments)
    assert isinstance(met.value.__cause__, redis.RedisError)


@pytest.mark.parametrize(("make", "name", "arguments"), rows(SILENT))
def test_what_is_no_reason_to_fail_raises_nothing(
    broken: redis.Redis, make: Made, name: str, arguments: tuple[Any, ...]
) -> None:
    """Logs, counts and estimates."""
    call(make(broken), name, arguments)


def test_setting_fields_is_a_queue_error_too(broken: redis.Redis) -> None:
    """Its fields are keywords."""
    with pytest.raises(QueueError):
        job_store(broken).set_fields(JOB.id, seconds="1.0")


def test_every_public_method_of_the_room_is_in_a_table() -> None:
    """Of each class that has a connection to Redis, but for the consumer, whose loop waits for it."""
    tried = {
        (cls, name) for table in (CONTRACT, SILENT) for cls, (_, m) in table.items() for name in m
    }
    untried = []
    for module in pkgutil.iter_modules(tea_runner.broker.__path__, "tea_runner.broker."):
        for cls in vars(importlib.import_module(module.name)).values():
            if not inspect.isclass(cls) or cls.__module__ != module.name:
                continue
            if "connection" not in inspect.signature(cls).parameters or cls.__name__ in _OF_RQ:
                continue
            untried += [
                f"{cls.__name__}.{name}"
                for name, member in vars(cls).items()
                if inspect.isfunction(member)
                and not name.startswith("_")
                and (cls, name) not in tried | NOTHING_TO_ASK
            ]
    assert [] == untried


_OF_RQ = {"ListedJob", "RqWorker", "QueueConsumer"}
