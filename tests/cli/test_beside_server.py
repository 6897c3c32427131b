"""Verbs beside a running ``tea-runner up`` reach its embedded forge with the server's own account."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tea_runner.cli.embedded_forge_setup import free_port
from tea_runner.cli.local_stack import LocalStack
from tea_runner.cli.main import Context
from tea_runner.cli.running_server_settings import FILE
from tests.cli.dataset import Dataset, Said, tea


@dataclass
class Server:
    """A server that runs, with one repository on its forge."""

    stack: LocalStack
    folder: Path

    def tea(self, *words: str) -> Said:
        """Run a verb that knows the state folder only."""
        return tea(self.folder, *words, env={"TEA_RUNNER_STATE": str(self.stack.state)})

    def settings(self) -> dict[str, tuple[object, str]]:
        """Value and source by name, as a verb beside the server sees them."""
        rows = self.tea("config", "show", "--json").json
        return {row["name"]: (row["value"], row["source"]) for row in rows}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``tea-runner up`` in this process, without a forge in its settings."""
    folder = tmp_path_factory.mktemp("server")
    flags = {
        "state": str(folder / "state"),
        "web.port": str(free_port()),
        "sandbox.kind": "off",
    }
    variables = {name: os.environ[name] for name in ("HOME", "PATH")}
    context = Context(directory=folder, config=None, flags=flags, variables=variables)
    with LocalStack(context, workers=1) as stack:
        forge = stack.embedded
        assert forge is not None
        data = Dataset(folder / "data", {"raw/a.txt": "a\n"})
        host = forge.url.removeprefix("http://")
        url = f"http://{forge.user}:{forge.password}@{host}/{forge.user}/data.git"
        data.do("git", "push", "-q", url, "HEAD:refs/heads/main")
        yield Server(stack, folder)


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        ("pr", "list", "me/data"),
        ("index", "show", "me/data"),
        ("index", "show", "--server"),
        ("check",),
    ],
    ids=" ".join,
)
def test_a_verb_beside_up_finds_its_forge(server: Server, words: tuple[str, ...]) -> None:
    """Neither an address nor a token of the forge is given to it."""
    said = server.tea(*words)

    assert 0 == said.code, said
    assert "me/data" in said.out or words == ("check",)


def test_a_verb_beside_up_does_no_harm(server: Server) -> None:
    """Every file of credentials has the bytes that it had before."""
    state = server.stack.state
    places = [state / "forge.token", state / "forge-access.json", *state.glob("git/*/*")]
    before = {path: path.read_bytes() for path in places if path.is_file()}
    server.tea("index", "show", "me/data")

    assert before == {path: path.read_bytes() for path in before}


def test_settings_beside_up_name_the_server_as_their_source(server: Server) -> None:
    """``config show`` tells where the address of the forge comes from."""
    found = server.settings()
    forge = server.stack.embedded
    assert forge is not None

    assert (forge.url, "the server that runs in the state folder") == found["forge.url"]
    assert ["store (directory, )"] == found["storage"][0]


def test_what_a_person_sets_is_stronger_than_the_server(server: Server) -> None:
    """With a forge of one's own, nothing is taken from the server."""
    rows = server.tea("-c", "forge.url=http://127.0.0.1:9", "config", "show", "--json").json
    found = {row["name"]: row["value"] for row in rows}

    assert "http://127.0.0.1:9" == found["forge.url"]
    assert [] == found["storage"]
    rows = server.tea("-c", "repositories=me/data", "config", "show", "--json").json
    assert ["me/data"] == next(row["value"] for row in rows if row["name"] == "repositories")


def test_the_file_of_the_server_is_closed_to_others(server: Server) -> None:
    """It holds no token, but leads to it."""
    file = server.stack.state / FILE

    assert 0o600 == file.stat().st_mode & 0o777
    assert (server.stack.state / "forge.token").read_text() not in file.read_text()


def test_a_server_that_was_killed_lends_no_settings(tmp_path: Path) -> None:
    """Its file is there, but nothing holds the lock of the folder."""
    state = tmp_path / "state"
    state.mkdir()
    (state / FILE).write_text(json.dumps({"forge.url": "http://127.0.0.1:9"}))
    (state / "up.lock").touch()
    said = tea(tmp_path, "config", "show", "--json", env={"TEA_RUNNER_STATE": str(state)})
    found = {row["name"]: row["source"] for row in said.json}

    assert "default" == found["forge.url"]
