"""Hostile requests and the answers, from requests/*.json, sent to a complete receiver.

The application is the one that is shipped, with its pages, its Redis and its forge behind it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests

from tea_runner.broker import redis_keys
from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.web.gunicorn_config import APPLICATION
from tea_runner.web.wsgi import FLAGS
from tests.hostile.forge import HostileForge
from tests.hostile.unchanged import files_of, redis_of, results_prefix
from tests.web.deliveries import HOOK, NUMBER, OTHER, ROWS, SECRET, WIRE, Row, WireRow
from tests.web.server import Server, serving

#: What counts deliveries, and what remembers that a test delivery arrived, may change.
_COUNTED = redis_keys.delivery_counts()


class Whole(NamedTuple):
    """The receiver, and all that stands behind it."""

    server: Server
    forge: HostileForge

    def now(self) -> tuple[Any, ...]:
        """Redis, refs, and the files of state and scratch."""
        folders = [self.forge.root / name for name in ("host", "scratch", "canaries", "store")]
        files = files_of(*(folder for folder in folders if folder.exists()))
        kept = {name: about for name, about in files.items() if not name.endswith(".tested")}
        return redis_of(self.forge, _COUNTED), results_prefix(self.forge), kept

    def counts(self) -> dict[str, float]:
        """Deliveries by their end, as ``/metrics`` tells them a moment after the answer."""
        time.sleep(0.1)
        url = f"http://127.0.0.1:{self.server.port}/metrics"
        token = {"Authorization": f"Bearer {self.forge.site.pages_token}"}
        text = requests.get(url, headers=token, timeout=10).text
        lines = [line for line in text.splitlines() if line.startswith("tea_deliveries_total{")]
        return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in lines}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """A receiver of a server with one settled repository, and two hooks."""
    branches = 'branches = ["main", "feature/*"]\n'
    forge = HostileForge(
        tmp_path_factory.mktemp("whole"), top=branches, settings='[web]\nmax_body = "40 MiB"'
    )
    forge.make("edges", {})
    assert "settled" == forge.meet("edges").state
    for name, secret in ((HOOK, SECRET), ("c" * 24, OTHER)):
        forge.site.webhooks.keep(
            Webhook(
                id=name,
                forge="gitea",
                repository="lab/edges",
                repository_id=NUMBER,
                secrets=(secret,),
            )
        )
    log = forge.root / "web"
    log.mkdir()
    config = str(forge.root / "host" / "tea-runner.toml")
    env = {FLAGS: json.dumps({"config": config, "flags": {}, "only": None})}
    with serving(log, APPLICATION, env) as server:
        yield Whole(server, forge)
    forge.close()


def _plans(whole: Whole) -> int:
    """Plans that wait; they are taken away, so that each row begins alike."""
    number = whole.forge.site.queues.length("plan")
    redis = whole.forge.site.redis
    for name in redis.scan_iter("*"):
        if name.startswith((redis_keys.plan_requests().encode(), b"rq:")):
            redis.delete(name)
    return number


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.row} {row.name}" for row in ROWS])
def test_deliveries_get_the_answer_that_the_table_states(row: Row, whole: Whole) -> None:
    """The answer is as stated; Redis, refs and files stay as they are, but for a plan that is due."""
    _plans(whole)
    before, counted = whole.now(), whole.counts()

    answer = whole.server.post(row.body, row.sent())

    assert (row.status, True) == (answer.status_code, row.says in answer.text), answer.text
    assert len(answer.content) < 300
    assert "canary" not in answer.text
    if row.planned:
        assert 1 == _plans(whole)
    assert before == whole.now()
    word = "refused" if row.status >= 400 else "accepted" if row.planned else "ignored"
    word = "tested" if row.says == "ignored: a test" else word
    assert counted.get(word, 0) + 1 == whole.counts().get(word)


@pytest.mark.parametrize("row", WIRE, ids=[f"{row.row} {row.name}" for row in WIRE])
def test_requests_get_the_status_that_the_table_states(row: WireRow, whole: Whole) -> None:
    """Whatever the bytes are: a status of 4xx, and nothing has changed."""
    _plans(whole)
    before = whole.now()
    answer = whole.server.send(row.data)
    assert str(row.status) == answer.split(b" ")[1].decode(), answer
    assert b"canary" not in answer
    assert before == whole.now()


def test_refusals_can_be_watched(whole: Whole) -> None:
    """Addresses that nobody knows count like signatures that do not fit."""
    before = whole.counts().get("refused", 0.0)
    for path in ("/hooks/x/y/z", f"/hooks/gitea/{'b' * 24}", "/hooks/"):
        requests.post(f"http://127.0.0.1:{whole.server.port}{path}", data=b"{}", timeout=10)
    requests.get(f"http://127.0.0.1:{whole.server.port}/hooks/gitea/{HOOK}", timeout=10)
    assert before + 4 == whole.counts()["refused"]


def test_gunicorns_own_lines_are_redacted(whole: Whole) -> None:
    """gunicorn quotes what it cannot read of a request; a secret in there is masked."""
    lines = [
        f"POST /hooks/gitea/{HOOK} HTTP/1.1",
        "Host: 127.0.0.1",
        f"X Secret {SECRET}: {OTHER}",
    ]
    for sent in (lines, [*lines[:2], f"{SECRET}\x01: x"], [f"{SECRET} / HTTP/1.1"]):
        answer = whole.server.send("\r\n".join([*sent, "", ""]).encode())
        assert answer.split(b" ")[1].startswith(b"4")
    assert "Invalid request" in whole.server.log
    assert "***" in whole.server.log
    assert SECRET not in whole.server.log
    assert OTHER not in whole.server.log


def test_nothing_of_it_is_in_the_log(whole: Whole) -> None:
    """All of the above made no traceback, told no secret, and wrote nothing of the senders' texts."""
    for text in ("Traceback", SECRET, OTHER, "evil.example", "<script>", "\x1b"):
        assert text not in whole.server.log
    assert [] == list(whole.forge.canaries.iterdir())
    assert [] == whole.forge.sink.heard
