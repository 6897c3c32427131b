"""Verdicts on pipelines in, a file of a clone out that says which of them give the same bytes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tea_runner.core.planning.recompute_verdict import RecomputeVerdict, add_verdict

NAME = "tea-ledger.json"


class ReproducibilityLedger:
    """``.git/tea-ledger.json``: it belongs to the clone, not to its history."""

    def __init__(self, git_dir: Path) -> None:
        self.path = git_dir / NAME

    def read(self) -> dict[str, Any]:
        """What it says; an unreadable one counts as empty."""
        try:
            document = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def add_verdict(self, verdicts: Sequence[RecomputeVerdict]) -> None:
        """Write verdicts down; several processes may do so at once."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = json.dumps(add_verdict(self.read(), verdicts), indent=1, ensure_ascii=True)
            temporary = self.path.with_suffix(f".{os.getpid()}")
            temporary.write_text(text + "\n")
            os.replace(temporary, self.path)
