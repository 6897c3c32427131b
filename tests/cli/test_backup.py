"""``tea-runner backup``: a server that was lost goes on with its keys, webhooks and settings."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import pytest

from tests.cli.dataset import Said, tea


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A folder with the settings, the secrets and the state of a server."""
    state = tmp_path / "state"
    for name, text in {
        "results_key": "key",
        "results_key.former": "former",
        "queue.key": "queue",
        "pages.token": "token",
        "hooks/abcdefghijklmnop.json": "{}",
        "events/lab/1.json": "an event",
        "mirrors/lab/x": "a cache",
        "redis/appendonly.aof": "jobs",
        "logs/worker.log": "lines",
    }.items():
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text(text)
        (state / name).chmod(0o600)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/token").write_text("forge")
    (tmp_path / "etc/token").chmod(0o640)
    (tmp_path / "etc/tea-runner.toml").write_text(
        f'state = "{state}"\n[forge]\nurl = "http://127.0.0.1:1"\ntoken_file = "token"\n'
    )
    return tmp_path


def backup(server: Path, *words: str) -> Said:
    """Call the verb with the settings of the server."""
    return tea(server, "--config", str(server / "etc/tea-runner.toml"), "backup", *words)


def everything(folder: Path) -> dict[str, tuple[str, int]]:
    """Content and mode of each file below a folder."""
    return {
        str(path.relative_to(folder)): (path.read_text(), stat.S_IMODE(path.stat().st_mode))
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("up.lock", "backup.tar")
    }


def test_what_is_in_no_repository_is_saved_and_restored(server: Path) -> None:
    """Caches, jobs and logs are left out; modes stay."""
    before = everything(server)
    saved = backup(server, "save", "backup.tar")
    assert 0 == saved.code, saved
    assert 0o600 == stat.S_IMODE((server / "backup.tar").stat().st_mode)
    for path in [*(server / "state").rglob("*"), *(server / "etc").glob("*")]:
        if path.is_file():
            path.unlink()
    restored = backup(server, "restore", "backup.tar")

    assert 0 == restored.code, restored
    lost = {"state/mirrors/lab/x", "state/redis/appendonly.aof", "state/logs/worker.log"}
    assert {name: file for name, file in before.items() if name not in lost} == everything(server)


def test_what_is_there_with_another_content_stays(server: Path) -> None:
    """Nothing at all is written then, until it is asked for."""
    backup(server, "save", "backup.tar")
    (server / "state/queue.key").write_text("another")
    (server / "state/results_key").unlink()
    refused = backup(server, "restore", "backup.tar")

    assert 1 == refused.code
    assert f"{server}/state/queue.key: there already, with another content" in refused.err
    assert not (server / "state/results_key").exists()
    assert 0 == backup(server, "restore", "--force", "backup.tar").code
    assert "queue" == (server / "state/queue.key").read_text()


@pytest.mark.parametrize(
    "name", ["state/../../out", "/etc/passwd", "other/x", "state", "files/../x"]
)
def test_an_archive_that_leads_elsewhere_is_refused(server: Path, name: str) -> None:
    """Before anything is written."""
    with tarfile.open(server / "bad.tar", "w") as tar:
        entry = tarfile.TarInfo(name)
        for each in (entry, tarfile.TarInfo("state-folder")):
            each.size = 1
            tar.addfile(each, io.BytesIO(b"x"))
    said = backup(server, "restore", "--force", "bad.tar")
    assert 1 == said.code
    assert "backup" in said.err
    assert not (server.parent / "out").exists()


def test_a_link_in_an_archive_is_refused(server: Path) -> None:
    """It could lead a later file elsewhere."""
    with tarfile.open(server / "bad.tar", "w") as tar:
        entry = tarfile.TarInfo("state/hooks")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/tmp"
        tar.addfile(entry)
    assert 1 == backup(server, "restore", "--force", "bad.tar").code


def test_a_server_that_runs_is_not_overwritten(server: Path) -> None:
    """Its folder is locked."""
    import fcntl

    backup(server, "save", "backup.tar")
    with (server / "state/up.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = backup(server, "restore", "backup.tar")
    assert 1 == said.code
    assert "another tea-runner uses this folder" in said.err


def test_without_a_state_there_is_nothing_to_save(tmp_path: Path) -> None:
    """An empty archive would look like a backup."""
    said = tea(tmp_path, "-c", f"state={tmp_path / 'none'}", "backup", "save", "x.tar")
    assert 1 == said.code
    assert not (tmp_path / "x.tar").exists()
