"""File in a clone with the outcome of recomputations: which pipelines give the same bytes."""

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
    """``.git/tea-ledger.json``, which is part of the clone, not of its history."""

    def __init__(self, git_dir: Path) -> None:
        self.path = git_dir / NAME

    def read(self) -> dict[str, Any]:
        """The file's content; empty when it is missing or malformed."""
        try:
            document = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def add_verdict(self, verdicts: Sequence[RecomputeVerdict]) -> None:
        """Add verdicts; several processes may do so at the same time."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = json.dumps(add_verdict(self.read(), verdicts), indent=1, ensure_ascii=True)
            temporary = self.path.with_suffix(f".{os.getpid()}")
            temporary.write_text(text + "\n")
            os.replace(temporary, self.path)
