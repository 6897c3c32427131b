"""The server's own credentials are in their files and nowhere else.

A canary is in each: the forge's token, a hook's secret, Redis's password, the queue's key, a storage's
secret.  The server works, fails, and is spoken to; then every byte that it wrote is looked at.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest
import redis

from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.deliveries.registered_webhook import Webhook
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.host import process
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.hostile.written import tellers

#: Tells all that a command is given and can find without a sandbox, as its own and its parent's.
_TELL = (
    'env; cat /proc/self/environ /proc/self/cmdline; cat "/proc/$PPID/cmdline"; git config -l || :; '
    'ls -la "$HOME" || :'
)


class Locked(RedisServer):
    """A server with a password."""

    password = ""

    @property
    def url(self) -> str:
        """Its address, with the password."""
        return f"unix://:{self.password}@{self.socket}" if self.password else super().url


@dataclass
class Planted:
    """A server whose credentials are canaries."""

    lab: Lab
    forge: EmbeddedForge
    canaries: dict[str, bytes]

    def told(self) -> dict[str, list[str]]:
        """Canaries that stand where they should not."""
        site = self.lab.site()
        found = tellers(self.canaries.values(), self.lab.root, site.redis, self.lab.env)
        assert set(self.canaries.values()) == found.keys(), "a canary is not even where it belongs"
        return {
            name: sorted(wrong)
            for name, canary in self.canaries.items()
            if (wrong := {place for place in found.get(canary, []) if not self._kept(place)})
        }

    def _kept(self, place: str) -> bool:
        """Whether the file is for credentials: the operator's, or ours and closed to others."""
        name = place.removeprefix(f"{self.lab.root}/")
        if name in ("queue.key", "hosts/host/tea-runner.toml") or name.startswith("canaries/"):
            return True
        files = ("hosts/host/git/*/credentials", "hosts/host/git/*/authorization")
        ours = any(fnmatch(name, each) for each in files) or name.startswith("hosts/host/hooks/")
        return ours and not Path(place).stat().st_mode & 0o77


@pytest.fixture
def planted(tmp_path: Path) -> Iterator[Planted]:
    """The server, at work on a repository of the embedded forge."""
    root = tmp_path / "all"
    (root / "canaries").mkdir(parents=True)
    with EmbeddedForge(tmp_path / "forge", path=os.environ["PATH"]) as forge:
        forge.add_user("lab", "a-person-s-password")
        forge.add_user("bot", "another password", admin=True)
        forge.create_repository("lab", "data")
        canaries = {
            name: f"canary-{secrets.token_hex(12)}".encode()
            for name in ("hook", "redis", "key", "storage")
        }
        canaries["token"] = forge.add_token("bot").encode()
        for name in ("token", "storage"):
            (root / "canaries" / name).write_bytes(canaries[name])
        token = str(root / "canaries" / "token")
        about = {"kind": "gitea", "url": forge.url, "user": "bot", "token_file": token}
        lab = Lab(
            root, forge=about, push_url=forge.push_url("lab/data", "lab", "a-person-s-password")
        )
        lab.broker.__class__ = Locked
        connection = redis.Redis(unix_socket_path=str(lab.broker.socket))
        connection.config_set("requirepass", canaries["redis"].decode())
        connection.close()
        lab.broker.password = canaries["redis"].decode()  # type: ignore[attr-defined]
        (root / "queue.key").write_bytes(canaries["key"])
        lab.tables = (
            '[[storage]]\nname = "s3"\ntype = "S3"\n[storage.env]\n'
            f'AWS_SECRET_ACCESS_KEY = "{root}/canaries/storage"\n'
        )
        try:
            yield Planted(lab, forge, canaries)
        finally:
            lab.close()


@pytest.mark.long
def test_credentials_stand_in_their_files_alone(
    planted: Planted, caplog: pytest.LogCaptureFixture
) -> None:
    """After a success, a failure that tells all it can find, and a forge that refuses."""
    caplog.set_level(logging.DEBUG)
    lab = planted.lab
    lab.create(
        files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", f"{_TELL}; {COPY}")}
    )
    secret = planted.canaries["hook"].decode()
    lab.site().webhooks.keep(
        Webhook(id="h" * 24, forge="gitea", repository="lab/data", secrets=(secret,))
    )
    lab.push()
    run = lab.settle()
    assert run is not None
    assert ["settled"] == [pipeline.state for pipeline in run.pipelines]

    lab.pull()
    lab.write({"up/spec.yml": spec("up", f"{_TELL}; exit 3", datum_tries=1)})
    lab.save()
    lab.push()
    lab.settle()
    place = planted.forge.store.get("lab", "data")
    assert place is not None
    shutil.move(place.path, f"{place.path}.away")
    lab.settle()

    assert {} == planted.told()
    text = caplog.text
    assert [] == [name for name, canary in planted.canaries.items() if canary.decode() in text]
    shutil.move(f"{place.path}.away", place.path)
    objects = process.run(
        ["git", f"--git-dir={place.path}", "cat-file", "--batch-all-objects", "--batch"],
        env=lab.env,
    ).stdout
    assert [] == [name for name, canary in planted.canaries.items() if canary in objects]
