"""A run without faults: which commit each push led to, and what was put in storage for it.

Commit ids of results depend on what was pushed only.  So the same commits, pushed again while things
fail, must lead to the same ids: one comparison that sees every byte, every record and every order.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, pfs, spec

#: The outputs of ``up`` are annexed, those of ``sum`` are in git.
_ATTRIBUTES = ATTRIBUTES[".gitattributes"] + "up/*.txt annex.largefiles=anything\n"
_UP = 'for f in "$PFS"/in/*; do tr a-z A-Z < "$f" > "$PFS/out/${f##*/}"; done'
_SUM = 'cat "$PFS"/in/*.txt | sort > "$PFS/out/all"'


@dataclass(frozen=True, kw_only=True)
class Step:
    """One push: what was pushed, and every tip on the way to what it led to."""

    pushed: str
    tips: tuple[str, ...]

    @property
    def settled(self) -> str:
        """The tip when nothing is left to do."""
        return self.tips[-1]


@dataclass
class Lineage:
    """A branch's history, as a person and a server without faults made it together."""

    name: str
    #: A bare repository with all of it.
    git: Path
    store: Path
    #: The ``git-annex`` branch as the person first pushed it.
    annex: str = ""
    steps: list[Step] = field(default_factory=list)
    #: Files of storage (relative) that the server put there.
    made: set[str] = field(default_factory=set)


def _files(name: str) -> list[dict[str, str | None]]:
    """What the person changes in each push."""
    return [
        {"raw/a.txt": f"{name} a\n", "raw/b.txt": f"{name} b\n", "raw/c.txt": f"{name} c\n"},
        {"raw/a.txt": f"{name} other\n"},
        {"README.md": f"{name}: nothing that a pipeline reads\n"},
        {"raw/d.txt": f"{name} d\n", "raw/b.txt": None},
        {"raw/a.txt": f"{name} a\n"},
        {"raw/c.txt": f"{name} new c\n", "raw/e.txt": f"{name} e\n"},
    ]


def make_lineage(root: Path, name: str) -> Lineage:
    """Let one planner and one worker settle each push, with nobody disturbing them."""
    root.mkdir(parents=True)
    lab = folder_lab(root)
    lab.trust = "unsigned = true\n"
    try:
        return _settle_all(lab, name)
    finally:
        lab.close()


def _settle_all(lab: Lab, name: str) -> Lineage:
    made = Lineage(name, lab.root / "forge/lab/data.git", lab.store)
    first, *others = _files(name)
    specs = {
        "up/spec.yml": spec("up", _UP, pfs("raw", "/*")),
        "sum/spec.yml": spec("sum", _SUM, pfs("up", "/")),
    }
    lab.create(
        files={".gitattributes": _ATTRIBUTES, **specs, **{k: v or "" for k, v in first.items()}}
    )
    _store_inputs(lab, others)
    for files in [{}, *others]:
        if files:
            lab.write(files)
            lab.save()
        pushed = lab.push()
        made.annex = made.annex or lab.git("rev-parse", "git-annex").strip()
        before = stored(lab.store)
        lab.settle()
        lab.pull()
        made.made |= stored(lab.store) - before
        between = lab.git("rev-list", "--first-parent", "--reverse", f"{pushed}..HEAD").split()
        made.steps.append(Step(pushed=pushed, tips=(pushed, *between)))
    # One commit for each pipeline, and none where nothing changed that they read.
    assert [2, 2, 0, 2, 2, 2] == [len(step.tips) - 1 for step in made.steps]
    return made


def _store_inputs(lab: Lab, pushes: list[dict[str, str | None]]) -> None:
    """Put the inputs of all pushes into storage, so that the first ``git-annex`` branch has their logs.

    Persons push that branch once only, and content of a key without a log is not fetched.
    """
    first = lab.git("rev-parse", "HEAD").strip()
    for files in pushes:
        lab.write(files)
        lab.save()
        lab.do("git", "annex", "copy", "--quiet", "--to", "store")
    lab.git("reset", "-q", "--hard", first)


def stored(store: Path) -> set[str]:
    """The files of a directory remote."""
    return {p.relative_to(store).as_posix() for p in store.rglob("*") if p.is_file()}


def keep(lineages: list[Lineage], path: Path) -> None:
    """Write down what was found, for a look at a failing run."""
    rows = [{"name": one.name, "steps": [vars(s) for s in one.steps]} for one in lineages]
    path.write_text(json.dumps(rows, indent=1))


def give(lineage: Lineage, store: Path) -> None:
    """Put a lineage's inputs into a storage, and take away what a server is to put there."""
    for path in stored(lineage.store):
        target = store / path
        if path in lineage.made:
            if target.exists():
                target.parent.chmod(0o755)
                target.unlink()
        elif not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(lineage.store / path, target)
