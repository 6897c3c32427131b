"""The copies of ``/etc`` for sandboxes: some parts, and only what all users may read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tea_runner.sandbox.etc_folder import FILES, EtcFolder


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A small /etc with what is shown and what is not."""
    made = tmp_path / "etc"
    (made / "ssl/certs").mkdir(parents=True)
    (made / "ssl/private").mkdir()
    (made / "ssl/private/key").write_text("secret")
    (made / "ssl/certs/ca.pem").write_text("certificate")
    (made / "ssl/certs/link.pem").symlink_to("ca.pem")
    (made / "ssl/certs/mine.pem").write_text("mine")
    (made / "ssl/certs/mine.pem").chmod(0o600)
    (made / "shadow").write_text("secret")
    (made / "hostname").write_text("host")
    (made / "resolv.conf").write_text("nameserver")
    (tmp_path / "zone").write_text("UTC")
    (made / "localtime").symlink_to(tmp_path / "zone")
    return made


def _names(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_symlink() or p.is_file()}


def test_it_holds_the_pieces_and_what_is_made_anew(etc: Path, tmp_path: Path) -> None:
    """Links inside a part stay links, a part that is a link is followed, the rest is left out."""
    made = EtcFolder(tmp_path / "kept", etc).path(network=False)
    own = {name.removeprefix("/etc/") for name in FILES}
    assert {"ssl/certs/ca.pem", "ssl/certs/link.pem", "localtime", *own} == _names(made)
    assert "ca.pem" == os.readlink(made / "ssl/certs/link.pem")
    assert "UTC" == (made / "localtime").read_text()
    assert not (made / "localtime").is_symlink()


def test_the_resolver_is_shown_with_a_network_only(etc: Path, tmp_path: Path) -> None:
    """With and without network there are two folders."""
    folder = EtcFolder(tmp_path / "kept", etc)
    assert "resolv.conf" in _names(folder.path(network=True))
    assert "resolv.conf" not in _names(folder.path(network=False))


def test_everybody_may_read_it(etc: Path, tmp_path: Path) -> None:
    """The copies are readable by all users, whatever the worker's umask."""
    before = os.umask(0o077)
    try:
        made = EtcFolder(tmp_path / "kept", etc).path(network=False)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in [made, *made.rglob("*")]}
    assert {0o755, 0o444} == modes


def test_processes_share_it(etc: Path, tmp_path: Path) -> None:
    """Equal parts have one folder, which is made once."""
    one, two = (EtcFolder(tmp_path / "kept", etc) for _ in range(2))
    assert one.path(network=False) == two.path(network=False)
    assert 1 == len(list((tmp_path / "kept").iterdir()))


def test_a_change_is_seen_by_the_next_command(etc: Path, tmp_path: Path) -> None:
    """A replaced file, such as renewed certificates, makes a new folder."""
    folder = EtcFolder(tmp_path / "kept", etc, max_age=0.0)
    before = folder.path(network=False)
    (etc / "ssl/certs/new.pem").write_text("renewed")
    os.replace(etc / "ssl/certs/new.pem", etc / "ssl/certs/ca.pem")
    after = folder.path(network=False)
    assert before != after
    assert "renewed" == (after / "ssl/certs/ca.pem").read_text()


def test_a_folder_that_was_taken_away_is_made_again(etc: Path, tmp_path: Path) -> None:
    """A folder that was deleted is made again."""
    folder = EtcFolder(tmp_path / "kept", etc)
    before = folder.path(network=False)
    before.rename(tmp_path / "away")
    assert before == folder.path(network=False)
    assert _names(tmp_path / "away") == _names(before)


def test_without_a_place_it_goes_with_its_owner(etc: Path) -> None:
    """The temporary folder is removed with its owner."""
    folder = EtcFolder(None, etc)
    made = folder.path(network=False)
    assert made.is_dir()
    del folder
    assert not made.exists()
