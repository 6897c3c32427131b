"""The API keeps what its description says: any request gets an answer of the documented shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from marshmallow import RAISE, Schema
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tea_runner.broker.redis_server import RedisServer
from tea_runner.web.api import schemas
from tea_runner.web.api.openapi import openapi_document
from tea_runner.wiring import Site
from tests.looking import RUN, begin, fail, make_job, make_site, save
from tests.planner_at_work import planner_at_work
from tests.web.browser import make_client

ROOT = Path(__file__).parents[3]
JOBS = [make_job(number) for number in (1, 2)]


@pytest.fixture
def served(site: Site) -> Iterator[FlaskClient]:
    """A run with a running and a failed job."""
    begin(site, JOBS[0], b"hello\n")
    fail(site, JOBS[1])
    save(site, JOBS)
    with planner_at_work(site):
        yield make_client(site)


def test_the_description_in_the_reference_is_that_of_the_code() -> None:
    """``python -m tea_runner.web.api.openapi > docs/reference/openapi.json`` writes it."""
    kept = json.loads((ROOT / "docs/reference/openapi.json").read_text())
    assert kept == json.loads(json.dumps(openapi_document()))


def test_the_description_is_served(served: FlaskClient) -> None:
    """To everybody: it says nothing of any repository."""
    assert openapi_document() == served.get("/api/v1/openapi.json").get_json()


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("repositories", schemas.RepositoriesDocument),
        ("runs", schemas.RunsDocument),
        (f"runs/{RUN}", schemas.RunDocument),
        (f"runs/{RUN}/datums", schemas.DatumsDocument),
        (f"jobs/{JOBS[0].id}", schemas.JobDocument),
        ("workers", schemas.WorkersDocument),
        ("find?name=lab/edges", schemas.FoundDocument),
    ],
)
def test_documents_have_exactly_the_described_fields(
    served: FlaskClient, path: str, shape: type[Schema]
) -> None:
    """No field more, none less."""
    answer = served.get(f"/api/v1/{path}")
    assert 200 == answer.status_code, answer.text
    assert shape(unknown=RAISE).load(answer.get_json())


def test_any_request_gets_a_described_answer(broker: RedisServer, tmp_path: Path) -> None:
    """No error of the server, whatever a query, a path or a body has."""
    site = make_site(broker, tmp_path)
    site.redis.flushall()
    save(site, JOBS)
    client = make_client(site)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", client.application)
    headers = {"Authorization": client.environ_base["HTTP_AUTHORIZATION"]}
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            case.call_and_validate(
                headers=headers, checks=[not_a_server_error, response_schema_conformance]
            )

        check()
