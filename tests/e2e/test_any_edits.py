"""Whatever people do to a dataset, push by push: the results are those of a run from nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, Step, pfs, push, spec

pytestmark = pytest.mark.long

Counted = tuple[str, Callable[[], int]]

SHOUT = (
    'for f in "$PFS"/in/*; do n=$(basename "$f"); tr a-z A-Z < "$f" > "$PFS/out/$n"; '
    '[ ! -s "$f" ] || { cat "$f" "$f" > "$PFS/out/$n.big"; chmod +x "$PFS/out/$n"; }; done'
)
SIZE = 'wc -c < "$PFS"/in/datum.txt > "$PFS/out/size"; cp code/lib.sh "$PFS/out/lib" || true'
NAMES = (
    'cd "$PFS/in"; find . -type f | sort > "$PFS/out/names"; '
    'sort "$PFS/out/names" | while read -r f; do cat "$f"; done > "$PFS/out/all"'
)
DEEP = (
    'n=$(basename "$PFS"/in/*); d="$PFS/out/d$(head -c 1 "$PFS"/in/*)"; mkdir "$d"; '
    'cp "$PFS"/in/* "$d/"; ln -s "$n" "$d/$n.link"'
)


def pipelines(echo: str, variant: dict[str, int]) -> dict[str, str]:
    """Four pipelines: names seen, names hidden, one that reads another's results, one of all files."""
    env = {"env": {"V": str(variant["shout"])}}
    place = ["$1", "by/$1"][variant["size"] % 2]
    return {
        "shout/spec.yml": spec("shout", f"{echo}; {SHOUT}", pfs(glob="/*.txt"), transform=env),
        "a/size/spec.yml": spec(
            "size", f"{echo}; {SIZE}", pfs(glob="/(*).txt"), output={"path": place}
        ),
        "names/spec.yml": spec(
            "names", f"{echo}; {NAMES}", pfs("shout", "/"), salt=str(variant["names"])
        ),
        "deep/spec.yml": spec(
            "deep", f"{echo}; {DEEP}", pfs(glob="/*.txt"), description=str(variant["deep"])
        ),
    }


class Editor:
    """Somebody who edits a dataset at random; the same seed edits the same."""

    def __init__(self, lab: Lab, echo: str, seed: int) -> None:
        self.lab = lab
        self.echo = echo
        self.random = random.Random(seed)
        self.variant = dict.fromkeys(("shout", "size", "names", "deep"), 0)
        self.files: dict[str, str] = {f"raw/{name}.txt": f"{name}\n" for name in "abcde"}
        self.code = "begin\n"
        self.past: list[tuple[dict[str, str], dict[str, int], str]] = []

    def everything(self) -> dict[str, str]:
        """All files of the dataset that are no results."""
        code = {"code/lib.sh": self.code}
        return {**ATTRIBUTES, **self.files, **code, **pipelines(self.echo, self.variant)}

    def edit(self) -> dict[str, str | None]:
        """Do one thing; returns the files that it writes or removes."""
        before = self.everything()
        self.past.append((dict(self.files), dict(self.variant), self.code))
        lost = self.random.choice(
            [
                self._change,
                self._change,
                self._add,
                self._remove,
                self._rename,
                self._swap,
                self._twin,
                self._vary,
                self._go_back,
                self._code,
                self._lose,
            ]
        )()
        after = self.everything()
        changes: dict[str, str | None] = {p: t for p, t in after.items() if before.get(p) != t}
        changes.update(dict.fromkeys(before.keys() - after.keys()))
        changes.update(dict.fromkeys(lost or []))
        return changes

    def _one(self) -> str:
        return self.random.choice(sorted(self.files))

    def _change(self) -> None:
        self.files[self._one()] = self.random.choice(["", "x\n", "y\n", "long\n" * 9])

    def _add(self) -> None:
        self.files[f"raw/{self.random.choice('abcdefgh ')}{self.random.randrange(3)}.txt"] = "n\n"

    def _remove(self) -> None:
        if len(self.files) > 2:
            del self.files[self._one()]

    def _rename(self) -> None:
        text = self.files.pop(self._one())
        self.files[f"raw/r{self.random.randrange(9)}.txt"] = text

    def _swap(self) -> None:
        one, two = self._one(), self._one()
        self.files[one], self.files[two] = self.files[two], self.files[one]

    def _twin(self) -> None:
        self.files["raw/twin.txt"] = self.files[self._one()]

    def _vary(self) -> None:
        self.variant[self.random.choice(sorted(self.variant))] += 1

    def _go_back(self) -> None:
        files, variant, self.code = self.random.choice(self.past)
        self.files, self.variant = dict(files), dict(variant)

    def _code(self) -> None:
        self.code = f"{self.random.randrange(3)}\n"

    def _lose(self) -> list[str]:
        """Remove a result by hand."""
        found = sorted(results(self.lab))
        names = [path for path in found if "/manifest." not in path]
        return [self.random.choice(names)] if names else []


def results(lab: Lab) -> dict[str, str]:
    """Mode and content of everything at HEAD that no person wrote; without signatures."""
    found = {}
    for line in lab.git("ls-tree", "-r", "-z", "HEAD", "shout/", "a/", "names/", "deep/").split(
        "\0"
    ):
        words, _, path = line.partition("\t")
        if path and "/manifest.sig/" not in path and not path.endswith("spec.yml"):
            found[path] = words
    return found


def from_nothing(root: Path, files: dict[str, str]) -> dict[str, str]:
    """The results of these files in a dataset and on a server that have no past."""
    lab = folder_lab(root)
    try:
        lab.create(files=files)
        lab.push()
        run = lab.settle()
        assert run is not None
        assert "settled" == run.state, json.dumps([p.detail for p in run.pipelines])
        lab.pull()
        return results(lab)
    finally:
        lab.close()


def edit_and_compare(
    lab: Lab, counted: Counted, tmp_path: Path, *, seed: int, pushes: int, edits: int
) -> None:
    """Push after push of so many edits each; after each, results equal those from nothing."""
    echo, count = counted
    editor = Editor(lab, echo, seed)
    lab.create(files=editor.everything())
    push(lab, count)
    for number in range(pushes):
        for _ in range(edits):
            lab.write(editor.edit())
        step = push(lab, count)
        said = [p.detail for p in lab.site().runs.latest(1)[0].pipelines]
        assert "settled" == step.state, (seed, number, said)
        fresh = tmp_path / f"fresh-{number}"
        fresh.mkdir()
        assert from_nothing(fresh, editor.everything()) == results(lab), (seed, number)
        count()
    assert Step(0, False, "settled") == push(lab, count)


@pytest.mark.parametrize("rows", [1024, 2], ids=["whole", "in pieces"])
def test_five_pushes_of_five_edits_each(
    lab: Lab, counted: Counted, tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty-five edits of all kinds leave what a run from nothing gives, also in manifests of pieces."""
    monkeypatch.setattr("tea_runner.core.results.manifest.MAX_SINGLE_ROWS", rows)
    monkeypatch.setattr("tea_runner.core.results.manifest.PIECE", rows // 2)
    edit_and_compare(lab, counted, tmp_path, seed=4, pushes=5, edits=5)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_edits(lab: Lab, counted: Counted, tmp_path: Path, seed: int) -> None:
    """Twenty-five pushes for each of four seeds, one edit each: a hundred edits."""
    edit_and_compare(lab, counted, tmp_path, seed=seed, pushes=25, edits=1)
