"""GNU make: two jobs at once, no records."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.peer import Peer

_MAKEFILE = """\
all: $(patsubst in/%.txt,out/%.sum,$(wildcard in/*.txt))
out/%.sum: in/%.txt
\t@mkdir -p out; sha256sum < $< > $@
"""


class Make(Peer):
    """No records, no content: newer than."""

    name = "GNU make"
    note = "records nothing"

    def begin(self, dataset: Path) -> None:
        """A makefile."""
        super().begin(dataset)
        (self.place / "Makefile").write_text(_MAKEFILE)

    def run(self) -> None:
        """All results."""
        self.do("make", "-s", "-j2")
