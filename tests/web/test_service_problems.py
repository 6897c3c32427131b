"""No planner, no worker and a dead token are said on pages, in the terminal and on ``/readyz``."""

from __future__ import annotations

from flask.testing import FlaskClient

from tea_runner.broker.live_processes import ProcessFacts
from tea_runner.web.access_dependencies import access_dependencies
from tea_runner.web.app import create_app
from tea_runner.web.web_dependencies import WebDependencies
from tea_runner.wiring import Site
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.web.browser import see
from tests.workers.conftest import Counting, faults, forged, hands

__all__ = ["faults", "forged", "hands"]

_TOKEN = "the forge does not accept the token"


def _all_run(site: Site, problem: str = "") -> None:
    site.processes.beat(ProcessFacts(name="p", kind="plan"))
    site.processes.beat(ProcessFacts(name="w", kind="job", offers=("host",)))
    site.processes.beat(ProcessFacts(name="r", kind="reconcile", problem=problem))


def test_pages_say_what_does_not_run(pages: FlaskClient, site: Site) -> None:
    """On each page, until it runs."""
    text = see(pages, "/about").text
    assert "no planner runs, so pushes wait" in text
    assert "no worker runs, so jobs wait" in text


def test_pages_say_nothing_where_all_run(pages: FlaskClient, site: Site) -> None:
    """And they say what the reconciler met at the forge."""
    _all_run(site, _TOKEN)
    text = see(pages, "/about").text
    assert (False, True) == ("runs, so" in text, _TOKEN in text)


def test_readiness_is_degraded(site: Site) -> None:
    """Deliveries are kept, so that the receiver is ready; the body says what is lacking."""
    parts = WebDependencies(
        settings=site.settings,
        webhooks=site.webhooks,
        requests=site.plan_requests,
        ready={"redis": site.jobs.problem},
        notes=site.processes.problems,
        access=access_dependencies(site),
    )
    client = create_app(parts).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {site.pages_token}"
    answer = client.get("/readyz")
    assert (200, "degraded") == (answer.status_code, answer.get_json()["status"])
    assert {"redis", "planner", "workers"} == answer.get_json()["checks"].keys()
    _all_run(site)
    assert {"status": "ready", "checks": {"redis": "ok"}} == client.get("/readyz").get_json()


def test_the_reconciler_notes_what_the_forge_refuses(
    forged: Lab, hands: Hands, faults: Counting
) -> None:
    """A token that is no longer valid; taken back when it is."""
    hands.reconciler.round()
    assert "" == hands.reconciler.problem
    faults.unauthorized = True
    hands.reconciler.round()
    assert "Authentication failed" in hands.reconciler.problem
    faults.unauthorized = False
    hands.reconciler.round()
    assert "" == hands.reconciler.problem
