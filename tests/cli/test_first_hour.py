"""Every mistake of the first hour is one line that names the thing, what is wrong, and the next step."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.dataset import FILES, SHOUT, Dataset, Said, tea

Where = Callable[[Path], Path]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Where], Path]:
    """Each place, made once: none of the mistakes changes anything."""
    made: dict[Where, Path] = {}
    root = tmp_path_factory.mktemp("places")

    def place(where: Where) -> Path:
        if where not in made:
            made[where] = where(root)
        return made[where]

    return place


def _nowhere(root: Path) -> Path:
    (root / "nowhere").mkdir()
    return root / "nowhere"


def _empty(root: Path) -> Path:
    return Dataset(root / "empty").path


def _plain(root: Path) -> Path:
    return Dataset(root / "plain", {"raw/a.txt": "a\n"}).path


def _whole(root: Path) -> Path:
    return Dataset(root / "whole", FILES).path


def _broken(root: Path) -> Path:
    text = SHOUT.replace("glob:", "golb:")
    return Dataset(root / "broken", {**FILES, "shout/spec.yml": text}).path


def _detached(root: Path) -> Path:
    dataset = Dataset(root / "detached", FILES)
    dataset.do("git", "checkout", "-q", "--detach")
    return dataset.path


def _in_the_way(root: Path) -> Path:
    dataset = Dataset(root / "way", FILES)
    dataset.write({"shout/a.txt": "mine\n"})
    return dataset.path


def _annexed_spec(root: Path) -> Path:
    dataset = Dataset(root / "annexed")
    dataset.write(FILES)
    dataset.do("git", "annex", "add", "-q", ".")
    dataset.save()
    return dataset.path


_NO_REPO = "is in no git repository; go into your dataset, or use -C DIR"
_NO_COMMIT = "this dataset has no commit yet; save something"
_NO_PIPELINE = "This dataset has no pipeline yet; tea-runner init writes one."
_GOLB = "shout/spec.yml:7:5: error: input.pfs.golb: unknown key 'golb'; did you mean 'glob'?"

#: Where, what is typed, the code it ends with, and the words that must be there.
TABLE: list[tuple[Where, str, int, str]] = [
    *[(_nowhere, verb, 1, _NO_REPO) for verb in ("plan", "datums", "status", "dag", "run", "init")],
    (_nowhere, "why x", 1, _NO_REPO),
    (_nowhere, "resolve", 1, _NO_REPO),
    (_nowhere, "lint", 0, "There is no pipeline file (NAME/spec.yml) here; tea-runner init"),
    (_nowhere, "-C nope plan", 2, "-C nope: there is no such directory"),
    (_nowhere, "lint nope.yml", 2, "there is no file nope.yml"),
    *[(_empty, verb, 1, _NO_COMMIT) for verb in ("plan", "datums", "status", "dag", "run")],
    (_empty, "lint", 0, "There is no pipeline file"),
    *[(_plain, verb, 0, _NO_PIPELINE) for verb in ("plan", "datums", "status", "run")],
    (_plain, "dag", 1, "this dataset has no pipeline yet; tea-runner init writes one"),
    (_plain, "plan x", 1, "there is no pipeline x; tea-runner init writes one"),
    (_whole, "plan shuot", 1, "there is no pipeline shuot; did you mean shout?"),
    (_whole, "run shuot", 1, "there is no pipeline shuot; did you mean shout?"),
    (_whole, "datums zzz", 1, "there is no pipeline zzz; there are shout, table"),
    (_whole, "plan --at v1", 1, "there is no commit v1; git log --oneline lists them"),
    (_whole, "paln", 2, "there is no command paln; did you mean plan?"),
    (_whole, "plan --exitcode", 2, "No such option"),
    (_whole, "why raw/c.txt", 1, "there is no datum or path raw/c.txt; did you mean raw/"),
    (_whole, "why shout/spec.yml", 1, "says what shout is; ask tea-runner why shout"),
    (_whole, "-c web.prot=1 check", 1, "there is no such setting; did you mean web.port?"),
    (_whole, "datums --from nope", 2, "nope: cannot be read: No such file"),
    (_whole, "datums --from raw/a.txt", 1, "it is not what tea-runner resolve wrote"),
    (_whole, "init sub/dir", 2, "sub/dir is no pipeline name"),
    (_whole, "init x --input nope", 1, "--input nope: there is no such folder"),
    *[(_broken, verb, 1, _GOLB) for verb in ("lint", "plan", "datums", "status", "run", "dag")],
    (_broken, "plan shout", 1, _GOLB),
    (_detached, "run -y", 1, "no branch is checked out; git switch to the branch to work on"),
    (_in_the_way, "run -y", 1, "commit or stash what is in the way"),
    (_annexed_spec, "plan", 1, "the pipeline file is annexed; it has to be kept in git"),
]


@pytest.mark.parametrize(
    ("where", "typed", "code", "words"),
    TABLE,
    ids=[f"{row[0].__name__[1:]}: {row[1]}" for row in TABLE],
)
def test_a_mistake_is_answered_in_one_line(
    places: Callable[[Where], Path], where: Where, typed: str, code: int, words: str
) -> None:
    """The code says whose fault it is, the line says what to do; there is no traceback."""
    said = tea(places(where), *typed.split(" "))

    assert (code, True) == (said.code, words in said.out + said.err), said


def _without(path: Path, *names: str) -> str:
    """A PATH on which everything is that the real one has, but these programs."""
    folder = path / "bin"
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(":")):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            if program.name not in names:
                link = folder / program.name
                link.unlink(missing_ok=True)
                link.symlink_to(program)
    return str(folder)


def _lacking(tmp_path: Path, name: str, *words: str, **env: str) -> Said:
    dataset = Dataset(tmp_path / "data", FILES)
    return dataset.tea(*words, env={"PATH": _without(tmp_path, name), **env})


def test_without_git_the_next_step_is_to_install_it(tmp_path: Path) -> None:
    """git is named, with the command that brings it."""
    said = _lacking(tmp_path, "git", "plan")

    assert (1, True) == (said.code, "install git" in said.err), said


def test_without_bubblewrap_nothing_runs_unprotected(tmp_path: Path) -> None:
    """The sandbox that policy asks for is missing: refused, with the way out."""
    said = _lacking(tmp_path, "bwrap", "run", "-y", TEA_RUNNER_SANDBOX__KIND="bwrap")

    assert 1 == said.code, said
    assert "bubblewrap is missing: install bubblewrap" in said.err
