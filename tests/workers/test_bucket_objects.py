"""Objects of a bucket, on a real MinIO: annexed files whose content stays in the bucket."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from werkzeug.serving import make_server

from tea_runner.host import fault_point, process
from tea_runner.web.app import WebDependencies, create_app
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.test_whole_way import free_port, wait_for
from tests.minio import BUCKET, PASSWORD, USER, Minio, minio
from workers.trigger_listener import TriggerListener

pytestmark = [
    pytest.mark.long,
    # boto3 leaves what urllib3 closes later.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
TOKEN = "canary-token-of-notices"
#: Seconds between two looks, unless a notice comes.
EVERY = 3600
MOMENTS = (
    "object-refresh",
    "object-import",
    "object-import.end",
    "object-publish",
    "settle",
    "settle.end",
    "object-published",
)


@pytest.fixture
def receiver_port() -> int:
    """Where notices of the bucket go."""
    return free_port()


@pytest.fixture
def bucket(tmp_path: Path, receiver_port: int) -> Iterator[Minio]:
    """An empty bucket, which tells the receiver what is put into it."""
    target = {
        "MINIO_NOTIFY_WEBHOOK_ENABLE_TEA": "on",
        "MINIO_NOTIFY_WEBHOOK_ENDPOINT_TEA": f"http://127.0.0.1:{receiver_port}/hooks/in/arrivals",
        "MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_TEA": TOKEN,
    }
    with minio(tmp_path / "minio", **target) as made:
        yield made


@pytest.fixture
def arriving(forged: Lab, bucket: Minio) -> Lab:
    """A lab whose dataset has the bucket as a storage, and a trigger for it."""
    options = {
        "bucket": BUCKET,
        "host": "127.0.0.1",
        "port": str(bucket.port),
        "protocol": "http",
        "requeststyle": "path",
    }
    keys = {"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": PASSWORD}
    env = {**os.environ, **forged.env, **keys}
    words = [f"{name}={value}" for name, value in options.items()]
    open_to = "annex.security.allowed-ip-addresses=all"
    argv = ["git", "-c", open_to, "annex", "initremote", "bucket", "type=S3", "encryption=none"]
    process.run([*argv, "importtree=yes", *words], env=env, cwd=forged.dataset)
    forged.git("push", "-q", "origin", "git-annex")
    for name, value in keys.items():
        (forged.root / name).write_text(value)
    (forged.root / "notices").write_text(TOKEN)
    table = "".join(f'{name} = "{value}"\n' for name, value in options.items())
    forged.tables = f"""
[[storage]]
name = "bucket"
type = "S3"
env = {{ {", ".join(f'{name} = "{forged.root}/{name}"' for name in keys)} }}
[storage.options]
{table}
[[triggers]]
name = "arrivals"
kind = "objects"
repository = "{forged.name}"
folder = "raw"
storage = "bucket"
every = {EVERY}
token_file = "{forged.root}/notices"

[annex]
allowed_addresses = ["127.0.0.1"]
"""
    return forged


@pytest.fixture
def hands(arriving: Lab) -> Iterator[Hands]:
    """Its server."""
    made = Hands(arriving)
    yield made
    made.close()


def look(hands: Hands) -> int:
    """What a new process commits."""
    with contextlib.closing(TriggerListener(hands.site)) as listener:
        found = listener.look()
        assert "" == listener.problem
        return found


def test_objects_become_annexed_files_and_results(
    arriving: Lab, hands: Hands, bucket: Minio
) -> None:
    """New and replaced ones, once; the workers read them from the bucket; deleted ones stay named."""
    bucket.put(scans__one="1", scans__two="2")
    assert 2 == look(hands)
    assert 0 == look(hands)
    commit = arriving.tip()
    arriving.git("fetch", "-q", "origin")
    assert "annex/objects/" in arriving.git("show", f"{commit}:raw/scans/one.dat")
    assert "Tea-Event: " in arriving.git("log", "-1", "--format=%B", commit)

    hands.plan()
    hands.work()
    hands.plan()
    arriving.pull()
    found = arriving.git("ls-tree", "-r", "--name-only", "HEAD", "up").split()
    assert "up/scans/one.dat" in found or "up/one.dat" in found, found

    bucket.put(scans__two="two", three="3")
    assert 2 == look(hands)
    bucket.client.delete_object(Bucket=BUCKET, Key="three.dat")
    look(hands)
    arriving.git("fetch", "-q", "origin")
    tree = arriving.git("ls-tree", "-r", "--name-only", arriving.tip(), "raw").split()
    assert ["raw/a.txt", "raw/scans/one.dat", "raw/scans/two.dat", "raw/three.dat"] == tree


def test_a_person_reads_the_objects_in_a_clone(arriving: Lab, hands: Hands, bucket: Minio) -> None:
    """git-annex finds the content in the bucket, by what the git-annex branch says."""
    bucket.put(one="content of one")
    look(hands)
    arriving.pull()
    keys = {"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": PASSWORD}
    arriving.env.update(keys)
    arriving.git("config", "annex.security.allowed-ip-addresses", "all")
    arriving.do("git", "annex", "get", "--quiet", "raw/one.dat")
    assert "content of one" == (arriving.dataset / "raw/one.dat").read_text()


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_import_that_ends_at_any_moment_is_made_once(
    moment: str,
    arriving: Lab,
    hands: Hands,
    bucket: Minio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next one commits what was not committed, and nothing twice."""
    bucket.put(one="1", two="2")

    class Killed(BaseException):
        """The process ends here."""

    def kill(reached: str) -> None:
        if reached == moment:
            raise Killed

    monkeypatch.setattr(fault_point, "handler", kill)
    with pytest.raises(Killed):
        look(hands)
    monkeypatch.undo()
    look(hands)
    arriving.pull()
    found = arriving.git("log", "--format=%s", "--grep=^Tea-Trigger: arrivals")
    assert ["Add 2 files from trigger arrivals"] == found.splitlines()


def test_a_notice_of_minio_leads_to_a_look_at_once(
    arriving: Lab, hands: Hands, bucket: Minio, receiver_port: int
) -> None:
    """Without it the bucket is looked at when it is time; a request without the token is refused."""
    site = hands.site
    app = create_app(
        WebDependencies(
            settings=site.settings,
            webhooks=site.webhooks,
            requests=site.plan_requests,
            triggers=site,
        )
    )
    address = f"http://127.0.0.1:{receiver_port}/hooks/in/arrivals"
    server = make_server("127.0.0.1", receiver_port, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with contextlib.closing(TriggerListener(site)) as listener:
            assert 0 == listener.look()
            bucket.put(before="1")
            assert 0 == listener.look()
            bucket.client.put_bucket_notification_configuration(
                Bucket=BUCKET,
                NotificationConfiguration={
                    "QueueConfigurations": [
                        {"QueueArn": "arn:minio:sqs::TEA:webhook", "Events": ["s3:ObjectCreated:*"]}
                    ]
                },
            )
            assert 401 == requests.post(address, json={}, timeout=10).status_code
            assert 0 == listener.look()
            bucket.put(after="2")
            wait_for(lambda: bool(site.event_spool.waiting("arrivals")))
            assert 2 == listener.look()
            assert [] == site.event_spool.waiting("arrivals")
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def test_names_that_steer_are_left_in_the_bucket(
    arriving: Lab, hands: Hands, bucket: Minio
) -> None:
    """Each is listed with its reason; the others come."""
    bucket.put(good="1")
    bucket.client.put_object(Bucket=BUCKET, Key="x/spec.yml", Body=b"pipeline: {name: x}")
    bucket.client.put_object(Bucket=BUCKET, Key=".github/workflows/x", Body=b"on: push")
    look(hands)
    arriving.git("fetch", "-q", "origin")
    tree = arriving.git("ls-tree", "-r", "--name-only", arriving.tip(), "raw").split()
    assert ["raw/a.txt", "raw/good.dat"] == tree
    refused = {e.event for e in hands.site.events.latest() if e.outcome == "refused"}
    assert {"x/spec.yml", ".github/workflows/x"} == refused


def test_a_bucket_that_is_away_is_looked_at_again(
    arriving: Lab, hands: Hands, bucket: Minio
) -> None:
    """The process says what is wrong; what came meanwhile is found by the next look."""
    bucket.put(one="1")
    bucket.stop()
    with contextlib.closing(TriggerListener(hands.site)) as listener:
        assert 0 == listener.look()
        assert "arrivals" in listener.problem
    bucket.start()
    assert 1 == look(hands)
