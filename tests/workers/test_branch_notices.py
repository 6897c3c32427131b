"""Notices: the first failure and the recovery, by real servers, and no secret in any log."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.dataset import tea
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import COPY, spec
from tests.receiver import Recorder


class _Mailbox(socketserver.ThreadingTCPServer):
    """A server that takes mail, and keeps it."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mails: list[str] = []
        self.commands: list[str] = []


class _Session(socketserver.StreamRequestHandler):
    server: _Mailbox

    def handle(self) -> None:
        """Answer as RFC 5321 has it, as far as a client needs."""
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split(" ")[0].upper()
            self.server.commands.append(word)
            if word == "DATA":
                self._say("354 go on")
                kept = []
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    kept.append(text)
                self.server.mails.append("\n".join(kept))
                self._say("250 taken")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def mailbox() -> Iterator[_Mailbox]:
    """Running."""
    with _Mailbox() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _push(lab: Lab, hands: Hands, command: str) -> None:
    lab.write({"up/spec.yml": spec("up", command, datum_tries=1)})
    lab.save()
    lab.push()
    hands.plan()
    hands.work()
    hands.plan()
    lab.pull()


@pytest.mark.long
def test_the_first_failure_and_the_recovery_are_told(
    forged: Lab, mailbox: _Mailbox, tmp_path: Path
) -> None:
    """Not each failure and not each success; by mail and by a webhook."""
    with Recorder(status=200) as recorder:
        file = tmp_path / "webhook"
        file.write_text(f"{recorder.url}/hooks/s3cret-token\n")
        port = mailbox.server_address[1]
        forged.tables = (
            f'[notify]\nmail_to = ["lab@example.org"]\nsmtp_host = "127.0.0.1"\nsmtp_port = {port}\n'
            f'smtp_security = "none"\nwebhook_file = "{file}"\n'
        )
        hands = Hands(forged)
        try:
            _push(forged, hands, f"true; {COPY}")
            assert [] == mailbox.mails, "nothing had failed"
            _push(forged, hands, "echo matrix is singular; exit 1")
            _push(forged, hands, "echo matrix is odd; exit 1")
            assert 1 == len(mailbox.mails)
            _push(forged, hands, f"true; true; {COPY}")
            _push(forged, hands, f"true; true; true; {COPY}")
        finally:
            hands.close()
        failed, recovered = mailbox.mails
        assert "Subject: [tea-runner] lab/data main failed" in failed
        assert "To: lab@example.org" in failed
        assert "matrix is singular" in failed
        assert "/runs/" in failed
        assert "Subject: [tea-runner] lab/data main has recovered" in recovered
        said = [each.said for each in recorder.kept]
        assert ["failed", "recovered"] == [each["event"] for each in said]
        assert "matrix is singular" in said[0]["text"]
        assert forged.name == said[0]["repository"]


@pytest.mark.long
def test_a_channel_that_fails_keeps_its_secret(
    forged: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the setting; ``check`` finds it without sending anything; the next plan tries again."""
    file = tmp_path / "webhook"
    file.write_text("http://127.0.0.1:9/hooks/s3cret-token\n")
    forged.tables = f'[notify]\nwebhook_file = "{file}"\n'
    hands = Hands(forged)
    try:
        _push(forged, hands, "exit 1")
    finally:
        hands.close()

    assert "a notice was not sent: webhook of notify.webhook_file" in caplog.text
    assert "s3cret-token" not in caplog.text
    assert "" == hands.site.notice_states.get(forged.name, "main")
    config = str(forged.root / "hosts/host/tea-runner.toml")
    done = tea(forged.root, "--config", config, "check")
    assert "notify(error): webhook of notify.webhook_file" in done.out
    assert "s3cret-token" not in done.out + done.err
    whole = "http://127.0.0.1:9/hooks/s3cret-token"
    assert "***" == hands.site.redactor.redact_text(whole)


@pytest.mark.long
def test_check_connects_to_the_mail_server(forged: Lab, mailbox: _Mailbox, tmp_path: Path) -> None:
    """And sends nothing."""
    port = mailbox.server_address[1]
    forged.tables = (
        f'[notify]\nmail_to = ["lab@example.org"]\nsmtp_host = "127.0.0.1"\nsmtp_port = {port}\n'
        'smtp_security = "none"\n'
    )
    forged.site()
    config = str(forged.root / "hosts/host/tea-runner.toml")
    done = tea(forged.root, "--config", config, "check")

    assert f"notify(ok): mail by 127.0.0.1:{port}" in done.out
    assert "NOOP" in mailbox.commands
    assert [] == mailbox.mails
