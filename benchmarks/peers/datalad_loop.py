"""A loop of ``datalad run``, one record per datum; measured on a few and counted per datum."""

from __future__ import annotations

from benchmarks.peers.peer import Peer


class DataladLoop(Peer):
    """What our records replace."""

    name = "loop of datalad run"
    count: int | None = 20

    @property
    def note(self) -> str:  # type: ignore[override]
        """How many were run."""
        return f"measured on {self.count or 'all'} datums"

    def run(self) -> None:
        """Some of the results."""
        for name in self.names():
            self.do(
                "datalad",
                "-l",
                "error",
                "run",
                "-m",
                "x",
                "-i",
                f"in/{name}.txt",
                "-o",
                f"out/{name}.sum",
                "mkdir -p out; sha256sum < {inputs} > {outputs}",
            )
