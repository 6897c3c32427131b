"""``datalad clone`` and ``datalad get`` of a few files."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.peers.peer import Peer


class DataladGet(Peer):
    """What a person does to have some files."""

    name = "datalad clone + get"

    def __init__(self, room: Path, source: Path) -> None:
        super().__init__(room)
        self.source = source
        room.mkdir(parents=True)

    def fetch(self, group: int) -> None:
        """A fresh clone, and one folder's content."""
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        clone = str(self.place / "c")
        self.do("datalad", "-l", "error", "clone", str(self.source), clone)
        self.do("datalad", "-l", "error", "-C", clone, "get", f"picked/{group}")
