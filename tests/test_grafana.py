"""The board and the alert rules, with a real Prometheus that scrapes a real server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.serving import make_server

from tea_runner.host import process
from tea_runner.wiring import Site
from tests.e2e.test_whole_way import free_port
from tests.looking import broker, make_job, make_site
from tests.web.browser import make_stranger

__all__ = ["broker"]

_FOLDER = Path(__file__).parents[1] / "deploy/grafana"
_ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def _expressions() -> list[str]:
    board = json.loads((_FOLDER / "tea-runner.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def _program(name: str) -> str:
    found = shutil.which(name)
    if not found:
        pytest.skip(f"no {name} on PATH (apt install prometheus)")
    return found


def test_the_alerts_come_when_they_should() -> None:
    """And not otherwise: the cases of ``alerts_test.yml``."""
    promtool = _program("promtool")
    done = process.run(
        [promtool, "test", "rules", "alerts_test.yml"], env=_ENV, cwd=_FOLDER, check=False
    )

    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.fixture
def prometheus(broker: Any, tmp_path: Path) -> Iterator[str]:
    """A Prometheus with the rules, which scrapes a server with some work behind it."""
    program = _program("prometheus")
    token = tmp_path / "token"
    token.write_text("metrics-token\n")
    site = make_site(broker, tmp_path, metrics__token_file=str(token))
    site.redis.flushall()
    _work(site)
    server = make_server("127.0.0.1", 0, make_stranger(site).application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(_FOLDER / "alerts.yml")],
        "scrape_configs": [
            {
                "job_name": "tea-runner",
                "authorization": {"credentials_file": str(token)},
                "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}],
            }
        ],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    with (tmp_path / "log").open("wb") as log:
        running = process.start_process(
            [
                program,
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            env=_ENV,
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        running.terminate()
        try:
            running.wait(20)
        finally:
            process.kill(running)
            server.shutdown()
            site.redis.close()


def _work(site: Site) -> None:
    site.jobs.enqueue(make_job(1))
    counters = site.metric_counters
    counters.observe(wait=1.0, fetch=0.2, run=30.0, store=1.0, settle=0.5)
    counters.count("jobs", "done", "done", pipeline="edges")
    counters.count("datums", "done", number=3)
    counters.count("datums", "reused", number=9)
    counters.count("runs", "settled")
    counters.note_reconciled()
    site.delivery_counts.count("accepted")


def _ask(url: str, **query: str) -> Any:
    answer = requests.get(url, params=query, timeout=10)
    assert answer.ok, answer.text
    return answer.json()["data"]


@pytest.mark.long
def test_each_panel_and_rule_is_evaluated_on_real_metrics(prometheus: str) -> None:
    """Every metric that they name exists, and no rule has an error."""
    until = time.monotonic() + 60
    found: list[Any] = []
    while not found and time.monotonic() < until:
        with contextlib.suppress(requests.RequestException):
            found = _ask(f"{prometheus}/query", query="tea_jobs")["result"]
        time.sleep(0.3)
    assert found, "nothing was scraped"

    for expression in _expressions():
        _ask(f"{prometheus}/query", query=expression)
    names = set(_ask(f"{prometheus}/label/__name__/values"))
    text = " ".join([*_expressions(), (_FOLDER / "alerts.yml").read_text(encoding="utf-8")])
    used = {word for word in _words(text) if word.startswith("tea_")}
    # No process is there in this test.
    assert used - names <= {"tea_workers"}
    rules = _ask(f"{prometheus}/rules")["groups"][0]["rules"]
    until = time.monotonic() + 30
    while any(rule["health"] == "unknown" for rule in rules) and time.monotonic() < until:
        time.sleep(0.3)
        rules = _ask(f"{prometheus}/rules")["groups"][0]["rules"]
    assert {"ok"} == {rule["health"] for rule in rules}
    waiting = next(rule for rule in rules if rule["name"] == "TeaNoWorker")
    assert "pending" == waiting["state"]


def _words(text: str) -> list[str]:
    return "".join(each if each.isalnum() or each == "_" else " " for each in text).split()
