"""One ``datalad run`` over all inputs: one record, and all of it again each time."""

from __future__ import annotations

from benchmarks.peers.peer import Peer

_LOOP = "mkdir -p out; for f in in/*.txt; do sha256sum < $f > out/$(basename $f .txt).sum; done"


class DataladRun(Peer):
    """A single record."""

    name = "one datalad run"
    note = "one record for all; runs all again"

    def run(self) -> None:
        """All results."""
        self.do(
            "datalad", "-l", "error", "run", "-m", "x", "-i", "in/*.txt", "-o", "out/*.sum", _LOOP
        )
