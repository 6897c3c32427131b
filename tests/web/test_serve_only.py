"""``serve --only``: webhooks and pages from applications of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tea_runner.web.wsgi import FLAGS, application
from tests.web.deliveries import PATH


def client(state: Path, only: str | None, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """Requests to the application that gunicorn would load; there is no Redis."""
    flags = {"state": str(state), "redis.url": f"unix://{state}/none"}
    monkeypatch.setenv(FLAGS, json.dumps({"config": None, "flags": flags, "only": only}))
    return application().test_client()


@pytest.mark.parametrize(
    ("only", "hook", "page"), [("hooks", 404, 404), ("pages", 404, 401), (None, 404, 401)]
)
def test_each_application_has_its_routes_and_the_health_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only: str | None, hook: int, page: int
) -> None:
    """Webhooks alone have no pages, pages alone no hooks; without the option there are both."""
    asked = client(tmp_path, only, monkeypatch)
    assert asked.get("/healthz").status_code == 200
    assert asked.get("/about").status_code == page
    answer = asked.post(PATH, json={})
    assert answer.status_code == hook
    unknown_hook = answer.get_json()["error"] == "no such hook"
    assert unknown_hook == (only != "pages")
