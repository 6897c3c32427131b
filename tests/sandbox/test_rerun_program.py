"""The program of run records, alone in a repository, where no tea-runner is on PATH."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tea_runner.host import process
from tea_runner.sandbox.container_engine import ContainerEngine
from tea_runner.sandbox.execution_environment import Environment

_PROGRAM = Path(__file__).parents[2] / "tea_runner/sandbox/rerun_program.py"
#: What every datum here has: copy the input, with its name in upper case.
_COPY = ("--", "sh", "-euc", 'cat "$in" > "$PFS/out/$(basename "$in")"; cat >> "$PFS/out/said"')


class Repository:
    """A repository with files, and the programs that the program needs."""

    def __init__(self, root: Path, *programs: str) -> None:
        self.path = root / "data"
        (root / "bin").mkdir()
        for name in ("git", "sh", "cat", "basename", "env", "true", *programs):
            found = shutil.which(name)
            assert found, name
            (root / "bin" / name).symlink_to(found)
        self.env = {"PATH": str(root / "bin"), "HOME": str(root)}
        process.run(["git", "init", "-q", str(self.path)], env=self.env)

    def write(self, name: str, text: str) -> None:
        """Write a file that git knows."""
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)
        process.run(["git", "add", "-f", name], env=self.env, cwd=self.path)

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code, and what was said."""
        argv = [sys.executable, "-c", _PROGRAM.read_text(), *words]
        done = process.run(argv, env=self.env, cwd=self.path, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository on a machine with bubblewrap."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is missing")
    made = Repository(tmp_path, "bwrap")
    made.write("raw/a", "a\n")
    made.write("raw/b", "b\n")
    return made


def _datum(name: str) -> list[str]:
    return ["--datum", f"in:{name}", "--to", f"up/{name}", "--in", f"in/{name}", f"raw/{name}"]


def test_each_datum_has_a_view_of_its_own(repository: Repository) -> None:
    """Standard input is for all; outputs of one are not there for the next."""
    code, said = repository.run(
        "--stdin", "one", "--stdin", "two", *_datum("a"), *_datum("b"), *_COPY
    )
    assert (0, "") == (code, said)
    found = {p.relative_to(repository.path).as_posix() for p in repository.path.glob("up/**/*.*")}
    found |= {p.relative_to(repository.path).as_posix() for p in repository.path.glob("up/*/*")}
    assert {"up/a/a", "up/a/said", "up/b/b", "up/b/said"} == found
    assert "one\ntwo\n" == (repository.path / "up/b/said").read_text()


def test_a_command_that_fails_ends_it(repository: Repository) -> None:
    """With its exit code, after its tries; later datums do not run, and nothing is written."""
    command = ("--", "sh", "-c", "echo try; exit 7")
    code, said = repository.run("--tries", "2", *_datum("a"), *_datum("b"), *command)
    assert (7, "try\ntry\n") == (code, said)
    assert not (repository.path / "up").exists()


def test_other_exit_codes_and_handlers_count(repository: Repository) -> None:
    """An accepted code is success; an error handler that ends well leaves no outputs."""
    code, _ = repository.run(
        "--accept", "7", *_datum("a"), "--", "sh", "-c", "echo x >$PFS/out/x; exit 7"
    )
    assert (0, "x\n") == (code, (repository.path / "up/a/x").read_text())
    words = ("--error", "sh", "--error", "-c", "--error", "echo handled", *_datum("b"))
    assert (0, "handled\n") == repository.run("--tries", "1", *words, "--", "sh", "-c", "exit 7")
    assert not (repository.path / "up/b").exists()


@pytest.mark.parametrize("pointer", [True, False], ids=["unlocked", "locked"])
def test_missing_content_is_named_with_the_command(repository: Repository, pointer: bool) -> None:
    """Neither a pointer nor a link that leads nowhere is an input."""
    key = "/annex/objects/MD5E-s2--60b725f10c9c85c70d97880dfe8191b3"
    if pointer:
        repository.write("raw/a", f"{key}\n")
    else:
        (repository.path / "raw/a").unlink()
        (repository.path / "raw/a").symlink_to(f"../.git{key}")
    code, said = repository.run(*_datum("a"), *_COPY)
    assert 1 == code
    assert "rerun: the content of raw/a is not here; run: datalad get raw/a\n" == said


def test_a_subdataset_that_is_not_here_is_named(repository: Repository) -> None:
    """An empty folder is no empty input."""
    made = ("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},raw/sub")
    process.run(["git", *made], env=repository.env, cwd=repository.path)
    (repository.path / "raw/sub").mkdir()
    whole = ["--datum", "in:/", "--to", "up", "--in", "in", "raw"]
    code, said = repository.run(*whole, *_COPY)
    assert (1, "rerun: subdataset raw/sub is not here; run: datalad get -n raw/sub\n") == (
        code,
        said,
    )
    code, _ = repository.run("--tries", "1", *whole, "--without", "raw/sub", "--", "true")
    assert 0 == code


def test_a_program_that_is_missing_is_127(repository: Repository, tmp_path: Path) -> None:
    """As in a shell, with bubblewrap and without it."""
    os.unlink(tmp_path / "bin/bwrap")
    code, said = repository.run("--tries", "1", *_datum("a"), "--", "no-such-program")
    assert 127 == code
    assert "no-such-program: No such file or directory" in said


def test_where_there_is_tea_runner_it_does_the_work(repository: Repository, tmp_path: Path) -> None:
    """With the pinned pipeline file and all labels."""
    (tmp_path / "bin/tea-runner").write_text('#!/bin/sh\nprintf "%s\\n" "$@"; exit 5\n')
    (tmp_path / "bin/tea-runner").chmod(0o755)
    words = ("--spec", "abc:0", "--pipeline", "up", *_datum("a"), *_datum("b"), *_COPY)
    code, said = repository.run(*words)
    assert ["exec", "--spec", "abc:0", "--pipeline", "up", "--", "in:a", "in:b"] == said.split()
    assert 5 == code


def test_tea_runner_gets_many_labels_in_several_calls(
    repository: Repository, tmp_path: Path
) -> None:
    """The kernel limits all arguments of a process together; the first call that fails ends it."""
    (tmp_path / "bin/tea-runner").write_text("#!/bin/sh\necho $# >>../calls\n")
    (tmp_path / "bin/tea-runner").chmod(0o755)
    datums = [word for number in range(1100) for word in ("--datum", str(number))]
    code, said = repository.run("--spec", "abc:0", "--pipeline", "up", *datums, "--", "true")
    assert (0, "") == (code, said)
    assert ["506", "506", "106"] == (tmp_path / "calls").read_text().split()


def test_datums_can_come_from_a_blob(repository: Repository) -> None:
    """Words of any length and with any bytes, as they would stand before the command."""
    text = b"\0".join(os.fsencode(word) for word in (*_datum("a"), *_datum("b")))
    argv = ["git", "hash-object", "-w", "--stdin"]
    done = process.run(argv, env=repository.env, cwd=repository.path, stdin=text)
    blob = done.stdout.decode().strip()
    code, said = repository.run("--stdin", "x", "--datums", blob, *_COPY)

    assert (0, "") == (code, said)
    assert "b\n" == (repository.path / "up/b/b").read_text()


def test_a_secret_comes_from_the_environment(repository: Repository) -> None:
    """The person who repeats the command gives it; without it, nothing runs."""
    command = ("--", "sh", "-c", 'echo "$TOKEN" >"$PFS/out/x"')
    code, said = repository.run("--secret", "TOKEN", *_datum("a"), *command)
    assert (1, "rerun: this command needs the secret TOKEN; set the variable TOKEN\n") == (
        code,
        said,
    )
    repository.env["TOKEN"] = "abc"
    code, said = repository.run("--secret", "TOKEN", *_datum("a"), *command)
    assert (0, "") == (code, said)
    assert "abc\n" == (repository.path / "up/a/x").read_text()


IMAGE = "lab/tool@sha256:" + "1" * 64


def test_an_image_runs_in_the_engine_that_is_here(repository: Repository, tmp_path: Path) -> None:
    """By its digest, with the view at its paths, without a network; the container goes."""
    engine = tmp_path / "bin/podman"
    engine.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >../called\n')
    engine.chmod(0o755)
    code, said = repository.run("--image", IMAGE, *_datum("a"), "--", "tool", "x y")
    called = (tmp_path / "called").read_text().splitlines()

    assert (0, "") == (code, said)
    assert ["run", "--rm"] == called[:2]
    assert {"--network=none", "--entrypoint=", "--workdir=/dataset", "--env=in=/pfs/in/a"} <= set(
        called
    )
    assert [IMAGE, "tool", "x y"] == called[-3:]


def test_an_image_without_an_engine_is_named(repository: Repository) -> None:
    """With what helps."""
    code, said = repository.run("--image", IMAGE, *_datum("a"), "--", "tool")
    sentence = f"rerun: this command runs in {IMAGE}; install podman, docker or tea-runner\n"
    assert (1, sentence) == (code, said)


@pytest.mark.engine
@pytest.mark.parametrize("name", ["podman", "docker"])
def test_a_real_engine_runs_the_image(
    repository: Repository,
    tmp_path: Path,
    name: str,
    engines: Callable[[str], tuple[Environment, str]],
) -> None:
    """The command reads its input and standard input there, and its outputs come back."""
    made, image = engines(name)
    assert isinstance(made, ContainerEngine)
    (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    # podman starts programs of the system.
    repository.env["PATH"] += ":/usr/sbin:/usr/bin:/bin" if name == "podman" else ""
    repository.env.update({key: value for key, value in made.variables.items() if key != "PATH"})
    repository.env["TOKEN"] = "abc"
    command = 'cat "$in" - >"$PFS/out/all"; echo "$TOKEN" >>"$PFS/out/all"; echo >/dataset/x'
    words = ("--image", image, "--stdin", "line", "--secret", "TOKEN", *_datum("a"))
    code, said = repository.run(*words, "--", "sh", "-euc", command)
    assert (0, "") == (code, said)
    assert "a\nline\nabc\n" == (repository.path / "up/a/all").read_text()
