"""DVC: one ``foreach`` stage over all names."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.peer import Peer


class Dvc(Peer):
    """Its own cache, its own lock file."""

    name = "DVC"
    packages = ("dvc",)
    count: int | None = 50

    @property
    def note(self) -> str:  # type: ignore[override]
        """On how many it was measured: with more of them, each takes longer."""
        some = f"on {self.count} datums; " if self.count else ""
        return f"{some}dvc.lock not committed"

    def begin(self, dataset: Path) -> None:
        """A repository of DVC's with one stage per name."""
        super().begin(dataset)
        names = "".join(f"      - {name}\n" for name in self.names())
        (self.place / "dvc.yaml").write_text(
            "stages:\n  sum:\n    foreach:\n" + names + "    do:\n"
            "      cmd: mkdir -p out && sha256sum < in/${item}.txt > out/${item}.sum\n"
            '      deps: ["in/${item}.txt"]\n      outs: ["out/${item}.sum"]\n'
        )
        self.do("dvc", "init", "-q")
        self.do("dvc", "config", "core.analytics", "false")

    def run(self) -> None:
        """All results."""
        self.do("dvc", "repro", "-q")
