"""The page about backups is followed word for word."""

from __future__ import annotations

from pathlib import Path

from tests.docs.page import Reader, follow


def test_a_backup_is_made_and_put_back(tmp_path: Path) -> None:
    """The keys of a server come back as they were."""
    reader = Reader(tmp_path / "home")
    state = reader.home / ".local/state/tea-runner"
    (state / "hooks").mkdir(parents=True)
    (state / "queue.key").write_text("key")
    lose = "tea-runner backup restore tea-runner-backup.tar"

    def restore(text: str) -> str:
        (state / "queue.key").unlink()
        return reader.say(text)

    follow("docs/how-to/back-up.md", reader, between={lose: restore})
    assert "key" == (state / "queue.key").read_text()
