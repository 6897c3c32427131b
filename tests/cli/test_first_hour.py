"""Every mistake of the first hour is one line that names the thing, what is wrong, and the next step."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tea_runner.cli.embedded_forge_setup import free_port
from tea_runner.cli.start_checks import state_lock
from tea_runner.host.supervisor import Supervisor
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
    (_whole, "plan --exitcode", 2, "No such option '--exitcode'"),
    (_whole, "plan --zzz", 2, "No such option '--zzz'; see tea-runner plan --help"),
    (_whole, "logs", 2, "which log?; name a job, a run or a datum, or give --failed"),
    (_whole, "-c redis.url=redis://127.0.0.1:1 runs", 1, "see that it runs, and redis.url"),
    (_whole, "why raw/c.txt", 1, "there is no datum or path raw/c.txt; did you mean raw/"),
    (_whole, "why shout/spec.yml", 1, "defines shout; run tea-runner why shout"),
    (_whole, "-c web.prot=1 check", 1, "unknown setting; did you mean web.port?"),
    (_whole, "datums --from nope", 2, "nope: cannot be read: No such file"),
    (_whole, "datums --from raw/a.txt", 1, "it is not what tea-runner resolve wrote"),
    (_whole, "init sub/dir", 2, "sub/dir is not a valid pipeline name"),
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


def test_servers_are_refused_without_bubblewrap_before_anything_is_started(tmp_path: Path) -> None:
    """``up`` says so itself, instead of workers in their logs, again and again."""
    env = {
        "PATH": _without(tmp_path, "bwrap"),
        "TEA_RUNNER_SANDBOX__KIND": "bwrap",
        "TEA_RUNNER_STATE": str(tmp_path / "state"),
    }
    said = tea(tmp_path, "up", env=env)

    assert (1, 1) == (said.code, said.out.count("\n")), said
    assert said.out.startswith("starting in ")
    assert "bubblewrap is missing: install bubblewrap" in said.err
    assert [] == list((tmp_path / "state").rglob("*.log"))


def test_two_that_run_servers_do_not_share_a_state_folder(tmp_path: Path) -> None:
    """The second one is told how to go on; the first one's files stay as they are."""
    state = tmp_path / "state"
    with state_lock(state):
        for verb in ("up", "demo"):
            said = tea(tmp_path, verb, env={"TEA_RUNNER_STATE": str(state)})
            assert (1, 1) == (said.code, said.err.count("\n")), said
            assert "another tea-runner uses this folder" in said.err
        assert ["up.lock"] == os.listdir(state)
    with state_lock(state):
        assert ["up.lock"] == os.listdir(state)


@pytest.mark.parametrize("verb", ["up", "serve"])
def test_a_port_that_is_taken_is_said_at_once(tmp_path: Path, verb: str) -> None:
    """One line with the address, and how another port is chosen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        env = {"TEA_RUNNER_STATE": str(tmp_path / "state"), "TEA_RUNNER_WEB__PORT": port}
        said = tea(tmp_path, verb, env=env)

    assert (
        f"tea-runner: 127.0.0.1:{port}: the port is in use; choose another one: -c web.port=PORT\n"
    ) == said.err
    assert 1 == said.code


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("serve", "redis.url is not set and no server runs in the state folder; start one with"),
        ("-c web.port=99999 serve", "web.port: 99999 is not a port; choose one from 1 to 65535"),
        ("-c web.host=no.such.host.invalid serve", "is not an address of this machine"),
        ("forge serve --port 99999", "99999 is not in the range 1<=x<=65535"),
    ],
)
def test_a_server_that_cannot_start_says_why_in_one_line(
    tmp_path: Path, typed: str, words: str
) -> None:
    """Before gunicorn starts, whose own words for it are a page of traceback."""
    env = {"TEA_RUNNER_STATE": str(tmp_path / "state")}
    if typed == "serve":
        env["TEA_RUNNER_WEB__PORT"] = str(free_port())
    said = tea(tmp_path, *typed.split(" "), env=env)

    assert (2, True, 1) == (said.code, words in said.err, said.err.count("\n")), said


def test_what_a_process_said_last_is_told_when_it_ends(tmp_path: Path) -> None:
    """The line names it, its code, its last words without what steers a terminal, and its log."""
    supervisor = Supervisor()
    log = tmp_path / "log"
    script = "printf 'first\\nno \\033[1mluck\\n\\n'; exit 3"
    supervisor.add("it", ["sh", "-c", script], {"PATH": os.environ["PATH"]}, log)
    (child,) = supervisor.children
    assert child.running is not None
    child.running.wait(timeout=60)

    assert [f"it ended with code 3: no \\x1b[1mluck; see {log}"] == supervisor.restart_ended()
    supervisor.stop()
