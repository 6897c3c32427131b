"""The settings of a Gitea on this host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.forge.gitea_server import GiteaServer

#: Notes its words; answers a list of accounts without any.
PROGRAM = '#!/bin/sh\necho "$@" >>"$HOME/calls"\necho "ID Username Email"\n'


@pytest.fixture
def server(tmp_path: Path) -> GiteaServer:
    """With a program that does nothing."""
    program = tmp_path / "bin" / "gitea"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o700)
    return GiteaServer(
        folder=tmp_path / "gitea",
        host="0.0.0.0",
        port=3000,
        url="http://lab.example.org:3000",
        path=f"{program.parent}:/usr/bin:/bin",
    )


def test_values_of_others_stay_and_ours_are_written_anew(server: GiteaServer) -> None:
    """Gitea writes its own values above the first section; an operator adds a section."""
    server.folder.mkdir()
    server.settings.write_text(
        "APP_NAME = Ours\n[server]\nROOT_URL = http://old/\nLFS_JWT_SECRET = kept\n"
        "[mailer]\nENABLED = true\nSMTP_ADDR = mail.example.org\n"
    )
    server.prepare("me", "secret")
    text = server.settings.read_text()
    for line in (
        "APP_NAME = Ours",
        "ROOT_URL = http://lab.example.org:3000/",
        "LFS_JWT_SECRET = kept",
        "SMTP_ADDR = mail.example.org",
    ):
        assert line in text.splitlines()
    assert 0o600 == server.settings.stat().st_mode & 0o777


def test_the_administrator_is_made_once(server: GiteaServer, tmp_path: Path) -> None:
    """After the database has its form; not when the list has the name."""
    server.prepare("me", "secret")
    calls = (server.folder / "calls").read_text().splitlines()
    assert ["migrate", "list", "create"] == [
        call.split()[4 if "user" in call else 2] for call in calls
    ]
    (tmp_path / "bin" / "gitea").write_text(PROGRAM.replace("Email", "Email\\n1 me me@x"))
    (server.folder / "calls").unlink()
    server.prepare("me", "secret")
    assert "create" not in (server.folder / "calls").read_text()


def test_a_missing_gitea_is_named(tmp_path: Path) -> None:
    """With the way to do without."""
    server = GiteaServer(folder=tmp_path, host="::1", port=1, url="http://x", path="/nonexistent")
    with pytest.raises(OutsideError, match="gitea is not on PATH; install it"):
        _ = server.argv
