"""Shapes of the API's documents, for its OpenAPI description.

:mod:`tea_runner.present.json_documents` makes the documents; tests compare the two.
"""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from tea_runner.core.planning.states import STATES


class ErrorDocument(Schema):
    """Why a request was refused."""

    error = fields.String(required=True)


class AnyQuery(Schema):
    """A query: what is not known in it is ignored."""

    class Meta:
        unknown = EXCLUDE


class CountsField(fields.Dict):
    """Numbers of datums by state."""

    def __init__(self, **more: Any) -> None:
        super().__init__(keys=fields.String(), values=fields.Integer(), **more)


class InstantField(fields.String):
    """A moment in UTC (RFC 3339); null where it has not come."""

    def __init__(self, **more: Any) -> None:
        super().__init__(allow_none=True, **more)


class RunHeadDocument(Schema):
    """A run without its pipelines."""

    id = fields.String(required=True)
    repository = fields.String(required=True)
    branch = fields.String(required=True)
    commit = fields.String(required=True)
    results_branch = fields.String(required=True)
    title = fields.String(required=True)
    author = fields.String(required=True)
    cause = fields.String(required=True)
    requested_by = fields.String(required=True)
    cancelled_by = fields.String(required=True)
    approved_by = fields.String(required=True)
    attempt = fields.Integer(required=True)
    previous = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    superseded = fields.String(required=True)
    superseded_by = fields.String(required=True)
    ended = fields.Boolean(required=True)
    counts = CountsField(required=True)
    started_at = InstantField(required=True)
    ended_at = InstantField(required=True)
    seconds = fields.Float(required=True, allow_none=True)


class DatumDocument(Schema):
    """A datum of a run."""

    datum = fields.String(required=True)
    key = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    reason = fields.String(required=True)
    source = fields.String(required=True, allow_none=True)
    why = fields.String(required=True)
    job = fields.String(required=True)
    error = fields.String(required=True)


class PipelineDocument(Schema):
    """A pipeline of a run."""

    name = fields.String(required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    counts = CountsField(required=True)
    reason = fields.String(required=True)
    detail = fields.String(required=True)
    results_commit = fields.String(required=True)
    signer = fields.String(required=True)
    remark = fields.String(required=True)
    schedules = fields.List(
        fields.String(), required=True, metadata={"description": "Names of its schedules."}
    )
    triggers = fields.List(
        fields.String(), required=True, metadata={"description": "Its inputs with a trigger."}
    )
    variables = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "Values of its variables."},
    )
    upstream = fields.List(fields.String(), required=True)
    jobs = fields.List(fields.String(), required=True)
    datums = fields.List(fields.Nested(DatumDocument), required=True)
    unlisted_datums = fields.Integer(required=True)


class RetryDocument(Schema):
    """A job that is tried again."""

    job = fields.String(required=True)
    reason = fields.String(required=True)
    tries = fields.Integer(required=True)
    next_try_at = InstantField(required=True)


class LackDocument(Schema):
    """Jobs that no worker can do."""

    reason = fields.String(required=True)
    jobs = fields.Integer(required=True)


class RunDocument(RunHeadDocument):
    """A run with its pipelines."""

    problems = fields.List(fields.String(), required=True)
    retries = fields.List(fields.Nested(RetryDocument), required=True)
    lacking = fields.List(fields.Nested(LackDocument), required=True)
    pipelines = fields.List(fields.Nested(PipelineDocument), required=True)


class JobDatumDocument(Schema):
    """A datum of a job."""

    datum = fields.String(required=True)
    key = fields.String(required=True)
    state = fields.String(required=True)
    error = fields.String(required=True)
    reason = fields.String(required=True)
    why = fields.String(required=True)


class JobDocument(Schema):
    """A job with its datums."""

    id = fields.String(required=True)
    state = fields.String(required=True)
    stopping = fields.Boolean(required=True)
    cancelled_by = fields.String(required=True)
    repository = fields.String(required=True)
    branch = fields.String(required=True)
    commit = fields.String(required=True)
    pipeline = fields.String(required=True)
    run = fields.String(required=True)
    attempt = fields.Integer(required=True)
    worker = fields.String(required=True)
    error = fields.String(required=True)
    created_at = InstantField(required=True)
    started_at = InstantField(required=True)
    ended_at = InstantField(required=True)
    seconds = fields.Float(required=True, allow_none=True)
    fetched_bytes = fields.Integer(required=True, allow_none=True)
    failed_tries = fields.Integer(required=True)
    next_try_at = InstantField(required=True)
    datums = fields.List(fields.Nested(JobDatumDocument), required=True)


class RepositoryDocument(Schema):
    """A repository with what its viewer may do there."""

    name = fields.String(required=True)
    access = fields.String(required=True, validate=validate.OneOf(["read", "write"]))
    last_run = fields.Nested(RunHeadDocument, required=True, allow_none=True)


class PageQuery(AnyQuery):
    """Which page of a list."""

    page = fields.Integer(load_default=1, validate=validate.Range(1, 1_000_000))
    per_page = fields.Integer(load_default=50, validate=validate.Range(1, 500))


class RunsQuery(PageQuery):
    """Which runs."""

    repository = fields.String(load_default="", validate=validate.Length(max=201))
    state = fields.String(validate=validate.OneOf(STATES))


class DatumsQuery(PageQuery):
    """Which datums of a run."""

    state = fields.String(load_default="", validate=validate.OneOf(["", *STATES]))
    pipeline = fields.String(load_default="", validate=validate.Length(max=1000))
    search = fields.String(
        load_default="",
        validate=validate.Length(max=200),
        metadata={"description": "Part of the name, or beginning of the key."},
    )


class FindQuery(AnyQuery):
    """What somebody calls a run or a job."""

    name = fields.String(
        required=True,
        validate=validate.Length(1, 201),
        metadata={
            "description": "Id of a run, commit, repository (its latest run), or id of a job."
        },
    )


class FollowQuery(AnyQuery):
    """Where a log is followed from."""

    start = fields.Integer(
        data_key="from",
        load_default=0,
        validate=validate.Range(0, 1 << 40),
        metadata={"description": "The first byte; the header Last-Event-ID counts more."},
    )


class FoundDocument(Schema):
    """A run or a job."""

    run = fields.String(required=True, metadata={"description": "Empty for a job."})
    job = fields.String(required=True, metadata={"description": "Empty for a run."})
    next = fields.String(
        required=True,
        metadata={
            "description": "The later run of the same commit that was requested; else empty."
        },
    )


class RepositoriesDocument(Schema):
    """Repositories that the viewer may read."""

    repositories = fields.List(fields.Nested(RepositoryDocument), required=True)


class RunsDocument(Schema):
    """One page of runs, the newest first."""

    page = fields.Integer(required=True)
    runs = fields.List(fields.Nested(RunHeadDocument), required=True)
    has_more = fields.Boolean(required=True)


class DatumsDocument(Schema):
    """One page of datums."""

    page = fields.Integer(required=True)
    total = fields.Integer(required=True)
    datums = fields.List(fields.Nested(DatumDocument), required=True)


class RecomputeBody(Schema):
    """What is computed again."""

    names = fields.List(
        fields.String(validate=validate.Length(1, 4096)),
        load_default=list,
        validate=validate.Length(max=1000),
        metadata={"description": "Pipelines, or names or keys of datums; empty for all."},
    )


class CancelledDocument(Schema):
    """Jobs that were cancelled."""

    cancelled = fields.List(fields.String(), required=True)
    stopping = fields.List(fields.String(), required=True)
    ended = fields.List(fields.String(), required=True)


class RequestedDocument(Schema):
    """What runs again."""

    repository = fields.String(required=True)
    branch = fields.String(required=True)
    datums = fields.Integer(required=True)
    run = fields.String(
        required=True, metadata={"description": "The new run; empty where nothing runs again."}
    )


class OfferedResourcesDocument(Schema):
    """What the workers of one host share; null for any amount."""

    cpus = fields.Float(required=True, allow_none=True)
    memory = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Bytes, as is disk."}
    )
    disk = fields.Integer(required=True, allow_none=True)
    gpus = fields.Integer(required=True)
    gpu_type = fields.String(required=True)
    labels = fields.List(fields.String(), required=True)


class WorkerDocument(Schema):
    """A process that takes jobs or plans."""

    name = fields.String(required=True)
    state = fields.String(required=True)
    kind = fields.String(required=True)
    host = fields.String(required=True)
    pid = fields.String(required=True)
    job = fields.String(
        required=True, metadata={"description": "Empty also where the viewer may not read it."}
    )
    repository = fields.String(required=True)
    pipeline = fields.String(required=True)
    label = fields.String(
        required=True, metadata={"description": "The first datum of the job that it does."}
    )
    datums = fields.Integer(required=True)
    disk_free = fields.Integer(required=True)
    disk_total = fields.Integer(required=True)
    offers = fields.List(fields.String(), required=True)
    resources = fields.Nested(
        OfferedResourcesDocument,
        required=True,
        allow_none=True,
        metadata={"description": "Null where the worker does not say."},
    )
    problem = fields.String(required=True)
    since_at = InstantField(required=True)
    heard_at = InstantField(required=True)
    begun_at = InstantField(required=True)


class RepositoryQueueDocument(Schema):
    """The waiting jobs of a repository that the viewer may read."""

    repository = fields.String(required=True)
    jobs = fields.Integer(required=True)
    datums = fields.Integer(required=True)
    oldest_waiting_since = InstantField(required=True)


class FreshnessDocument(Schema):
    """The latest run of a branch, and since when its results are behind its inputs or code."""

    repository = fields.String(required=True)
    branch = fields.String(required=True)
    run = fields.String(required=True)
    state = fields.String(required=True)
    behind_since = InstantField(required=True)


class RepairDocument(Schema):
    """What the reconciler repaired."""

    at = InstantField(required=True)
    text = fields.String(required=True)


class ListedStorageDocument(Schema):
    """A storage of the settings."""

    name = fields.String(required=True)
    type = fields.String(required=True)
    repositories = fields.List(fields.String(), required=True)


class WorkersDocument(Schema):
    """Workers and queues."""

    reconciled_at = InstantField(required=True)
    repairs = fields.List(fields.Nested(RepairDocument), required=True)
    storages = fields.List(
        fields.Nested(ListedStorageDocument),
        required=True,
        metadata={"description": "For operators only."},
    )

    workers = fields.List(fields.Nested(WorkerDocument), required=True)
    queues = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    oldest_waiting_since = InstantField(required=True)
    lacking = fields.List(fields.Nested(LackDocument), required=True)
    repositories = fields.List(fields.Nested(RepositoryQueueDocument), required=True)
    freshness = fields.List(fields.Nested(FreshnessDocument), required=True)
