"""A real MinIO on a free port of loopback, for a test."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tea_runner.host import process
from tests.e2e.test_whole_way import free_port

USER, PASSWORD = "lab", "secret of the lab"
BUCKET = "arrivals"


def minio_program() -> str:
    """The program; the test is skipped without it."""
    program = os.environ.get("TEA_TEST_MINIO") or shutil.which("minio")
    if program is None:
        pytest.skip("needs minio: go install github.com/minio/minio@latest")
    return program


class Minio:
    """A server with one bucket."""

    def __init__(self, folder: Path, **variables: str) -> None:
        boto3: Any = pytest.importorskip("boto3")
        self.port, console = free_port(), free_port()
        self._argv = [minio_program(), "server", str(folder / "data")]
        self._argv += ["--address", f"127.0.0.1:{self.port}", "--console-address"]
        self._argv += [f"127.0.0.1:{console}"]
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "MINIO_ROOT_USER": USER,
            "MINIO_ROOT_PASSWORD": PASSWORD,
            **variables,
        }
        self._log = folder / "minio.log"
        self._running: process.Process | None = None
        self.start()
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=USER,
            aws_secret_access_key=PASSWORD,
            region_name="us-east-1",
        )
        until = time.monotonic() + 60
        while True:
            # On a busy machine it says that it is ready a moment before it is.
            try:
                self.client.create_bucket(Bucket=BUCKET)
                break
            except self.client.exceptions.ClientError:
                if time.monotonic() > until:
                    self.stop()
                    raise
                time.sleep(0.2)

    def start(self) -> None:
        """Start it, until it answers."""
        with self._log.open("ab") as log:
            self._running = process.start_process(self._argv, env=self._env, stdout=log, stderr=log)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(requests.RequestException):
                url = f"http://127.0.0.1:{self.port}/minio/health/ready"
                if requests.get(url, timeout=1).ok:
                    return
            time.sleep(0.1)
        pytest.fail(self._log.read_text())

    def stop(self) -> None:
        """End it."""
        if self._running is not None:
            process.kill(self._running)
            self._running = None

    def put(self, **objects: str) -> None:
        """Put objects; ``__`` in a name stands for a slash, and all get ``.dat``."""
        for name, text in objects.items():
            key = name.replace("__", "/") + ".dat"
            self.client.put_object(Bucket=BUCKET, Key=key, Body=text.encode())


@contextlib.contextmanager
def minio(folder: Path, **variables: str) -> Iterator[Minio]:
    """A server that ends with the test."""
    folder.mkdir()
    made = Minio(folder, **variables)
    try:
        yield made
    finally:
        made.client.close()
        made.stop()
