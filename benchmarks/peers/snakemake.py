"""Snakemake: one rule, two jobs at once, provenance in ``.snakemake``."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.peer import Peer

_SNAKEFILE = """\
NAMES = glob_wildcards("in/{name}.txt").name
rule all:
    input: expand("out/{name}.sum", name=NAMES)
rule one:
    input: "in/{name}.txt"
    output: "out/{name}.sum"
    shell: "sha256sum < {input} > {output}"
"""


class Snakemake(Peer):
    """One shell rule."""

    name = "Snakemake"
    packages = ("snakemake",)
    note = "-j2; records not committed"

    def begin(self, dataset: Path) -> None:
        """A Snakefile."""
        super().begin(dataset)
        (self.place / "Snakefile").write_text(_SNAKEFILE)

    def run(self) -> None:
        """All results."""
        self.do("snakemake", "-j2", "-q", "all")
