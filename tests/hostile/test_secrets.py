"""Secrets reach the permitted commands only: canaries in every credential are searched for."""

from __future__ import annotations

import base64
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.pipelines import spec
from tests.hostile.forge import HostileForge
from tests.hostile.written import tellers

CANARY = b"canary-T0k/en+0123456789?abc"
_SAY = (
    'printf "%s\\n" "$TOKEN"; printf %s "$TOKEN" | base64; printf %s "x$TOKEN" | base64; '
    'printf %s "$TOKEN" | od -An -tx1 | tr -d " \\n"; for c in 1 2; do printf %s "$TOKEN" >&2; done; '
    'printf "%.12s" "$TOKEN"; sleep 0.1; printf %s "$TOKEN" | cut -c13-; '
)
_ASK = {"secrets": [{"name": "atlas", "env_var": "TOKEN"}]}


def _spec(command: str, **transform: object) -> str:
    return spec("up", command, transform=transform or _ASK)


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[HostileForge]:
    """A server with one secret for ``lab/mine``."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "atlas").write_bytes(CANARY)
    extra = f'[[secrets]]\nname = "atlas"\nfile = "{tmp_path}/kept/atlas"\nrepositories = ["lab/mine"]\n'
    kind = "bwrap" if shutil.which("bwrap") else "off"
    made = HostileForge(tmp_path / "all", settings=extra, sandbox=kind)
    yield made
    made.close()


def _tellers(forge: HostileForge, secret: bytes) -> list[str]:
    found = tellers([secret], forge.root, forge.site.redis, forge.env)
    return found.get(secret, [])


def test_a_secret_is_in_nothing_that_was_written(
    forge: HostileForge, caplog: pytest.LogCaptureFixture
) -> None:
    """A command that has the secret and prints it in every spelling, and one that fails with it."""
    caplog.set_level(logging.DEBUG)
    size = 'printf %s "$TOKEN" | wc -c > "$PFS/out/size"'
    forge.make("mine", {"files": {"up/spec.yml": _spec(_SAY + size)}})

    met = forge.meet("mine")

    assert "settled" == met.state, met.said
    assert {"up/size": str(len(CANARY)).encode()} == {k: v.strip() for k, v in met.outputs.items()}
    assert met.said.count("***") >= 6
    assert [] == _tellers(forge, CANARY)
    assert CANARY.decode() not in met.said + caplog.text
    assert base64.b64encode(CANARY).decode() not in met.said

    forge.git("mine", "update-ref", "-d", "refs/heads/main")
    row = {"files": {"up/spec.yml": _spec(_SAY + 'cd "$TOKEN"')}}
    shutil.rmtree(forge.root / "forge/lab/mine.git")
    forge.make("mine", row)
    assert "failed" == forge.meet("mine").state
    assert [] == _tellers(forge, CANARY)


def test_an_output_that_holds_a_secret_is_no_result(forge: HostileForge) -> None:
    """A file with the secret, raw or encoded, is refused by name before it is saved."""
    for number, how in enumerate(('> "$PFS/out/f"', '| base64 > "$PFS/out/f"')):
        shutil.rmtree(forge.root / "forge/lab/mine.git", ignore_errors=True)
        text = _spec(f'printf %s "$TOKEN" {how}; : {number}')
        forge.make("mine", {"files": {"up/spec.yml": text}})
        met = forge.meet("mine")
        assert "failed" == met.state
        assert "output f contains one of the pipeline's secrets" in met.said
        assert [] == _tellers(forge, CANARY)


@pytest.mark.skipif(not shutil.which("bwrap"), reason="needs bubblewrap")
def test_a_secret_is_shown_as_a_file(forge: HostileForge) -> None:
    """``mount_path`` is a folder with a file per key, for reading only."""
    ask = {"secrets": [{"name": "atlas", "mount_path": "/run/atlas"}]}
    command = 'ls /run/atlas > "$PFS/out/l"; wc -c < /run/atlas/atlas > "$PFS/out/n"; ! touch /run/atlas/x'
    forge.make("mine", {"files": {"up/spec.yml": _spec(command, **ask)}})
    met = forge.meet("mine")
    assert "settled" == met.state, met.said
    found = {path: data.strip() for path, data in met.outputs.items()}
    assert {"up/l": b"atlas", "up/n": str(len(CANARY)).encode()} == found
    assert [] == _tellers(forge, CANARY)


def test_secrets_are_for_listed_repositories_on_trusted_branches(forge: HostileForge) -> None:
    """Another repository, a secret that is not there, and another branch are told why."""
    row = {"files": {"up/spec.yml": _spec('touch "$PFS/out/x"')}}
    forge.make("other", row)
    met = forge.meet("other")
    assert "failed" == met.state
    assert "secret atlas is not available to lab/other" in met.said
    forge.make("mine", row)
    forge.git("mine", "update-ref", "refs/heads/feature", "main")
    met = forge.meet("mine", "feature")
    assert "failed" == met.state
    assert "secret atlas is available on trusted branches only" in met.said
    assert "settled" == forge.meet("mine").state


def test_a_secret_is_not_in_the_key(forge: HostileForge) -> None:
    """Another value of it runs nothing again: what is known stays known."""
    forge.make("mine", {"files": {"up/spec.yml": _spec('echo x > "$PFS/out/x"')}})
    assert "settled" == forge.meet("mine").state
    before = forge.tips("mine")["refs/heads/main"]
    (forge.root.parent / "kept" / "atlas").write_bytes(b"quite another secret")
    assert "settled" == forge.meet("mine").state
    assert before == forge.tips("mine")["refs/heads/main"]


def test_a_secret_that_cannot_be_hidden_is_not_used(forge: HostileForge) -> None:
    """Shorter than eight bytes: the operator is told."""
    from tea_runner.core.errors import SettingsError
    from tea_runner.sandbox.pipeline_secrets import PipelineSecret

    short = forge.root / "short"
    short.write_text("abc\n")
    with pytest.raises(SettingsError, match="fewer than 8 bytes"):
        PipelineSecret(name="s", file=short, repositories=("*/*",)).values()


@pytest.mark.parametrize("name", ["TZDIR", "MALLOC_CHECK_", "GCONV_PATH"])
def test_a_secret_is_no_variable_of_the_loader(tmp_path: Path, name: str) -> None:
    """A root worker sets these on a command line, which all users of the machine see."""
    from tea_runner.core.errors import Refused
    from tea_runner.core.pipeline import SecretReference
    from tea_runner.sandbox.pipeline_secrets import PipelineSecret, give_secrets

    (tmp_path / "s").write_bytes(CANARY)
    known = [PipelineSecret(name="s", file=tmp_path / "s", repositories=("*/*",))]
    with pytest.raises(Refused, match="another env_var"):
        give_secrets(
            [SecretReference(name="s", env_var=name)],
            known,
            repository="lab/x",
            trusted=True,
            folder=tmp_path / "f",
        )
