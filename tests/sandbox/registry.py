"""A registry of images on this machine: Debian's docker-registry."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tea_runner.host import process

USER, PASSWORD = "ada", "s3cret"
_BCRYPT = "$2b$04$26EZxQsC303Vcg2Deg..GOGNYeXfODLP1e660k.CE2u48Pz/3q3U2"


@contextmanager
def registry(place: Path, *, login: bool = False) -> Iterator[str]:
    """Start a registry without encryption; yields its host with its port.

    :param login: whether it asks for :data:`USER` and :data:`PASSWORD`.
    """
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("engine absent: docker-registry is missing")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{found.getsockname()[1]}"
    document: dict[str, object] = {
        "version": 0.1,
        "storage": {
            "filesystem": {"rootdirectory": str(place / "registry")},
            "delete": {"enabled": True},
        },
        "http": {"addr": host, "secret": "x"},
        "log": {"level": "error"},
    }
    if login:
        (place / "users").write_text(f"{USER}:{_BCRYPT}\n")
        document["auth"] = {"htpasswd": {"realm": "x", "path": str(place / "users")}}
    (place / "registry.json").write_text(json.dumps(document))
    with (place / "registry.log").open("wb") as log:
        running = process.start_process(
            [program, "serve", str(place / "registry.json")],
            env=dict(os.environ),
            stdout=log,
            stderr=log,
        )
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                requests.get(f"http://{host}/v2/", timeout=2)
                break
            except requests.ConnectionError:
                assert running.poll() is None, (place / "registry.log").read_text()
                time.sleep(0.05)
        yield host
    finally:
        running.terminate()
        running.wait(20)


def put_image(host: str, name: str, tag: str, text: str) -> str:
    """Push an image without layers, told apart by *text*; returns its digest."""
    base = f"http://{host}/v2/{name}"
    auth = (USER, PASSWORD)
    config = json.dumps({"architecture": "amd64", "os": "linux", "comment": text}).encode()
    began = requests.post(f"{base}/blobs/uploads/", auth=auth, timeout=10)
    began.raise_for_status()
    blob = _digest(config)
    requests.put(
        began.headers["Location"], params={"digest": blob}, data=config, auth=auth, timeout=10
    ).raise_for_status()
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(config),
            "digest": blob,
        },
        "layers": [],
    }
    put = requests.put(
        f"{base}/manifests/{tag}",
        data=json.dumps(manifest).encode(),
        headers={"Content-Type": kind},
        auth=auth,
        timeout=10,
    )
    put.raise_for_status()
    return put.headers["Docker-Content-Digest"]


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
