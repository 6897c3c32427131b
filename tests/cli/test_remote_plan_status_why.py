"""``plan``, ``status``, ``why`` and ``lineage`` with ``--server``: the server's answer, and whose run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from tea_runner.cli import main
from tea_runner.cli.server_client import ServerClient
from tea_runner.core.errors import UsageError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], Mapping[str, object]]]:
    """What is asked of a server that knows one run."""
    seen: list[tuple[tuple[str, ...], Mapping[str, object]]] = []

    def get(_: ServerClient, *path: str, **query: object) -> Any:
        seen.append((path, query))
        if path == ("find",):
            return {"run": "" if query["name"] == "job" else "1" * 12, "job": "", "next": ""}
        return {"commit": "c" * 40, "lines": ["one\x1b", "two"], "document": {"found": 1}}

    monkeypatch.setattr(ServerClient, "get", get)
    monkeypatch.setenv("TEA_RUNNER_SERVER_TOKEN", "token")
    return seen


def tea(*words: str) -> tuple[int, str]:
    """``tea-runner --server`` with these words."""
    argv = ["--server", "http://tea.example", *words]
    done = CliRunner().invoke(main.cli, argv, standalone_mode=True)
    return done.exit_code, done.output


def test_the_first_word_names_the_run(asked: list[Any]) -> None:
    """A commit and a repository do so, too; the others are the verb's own."""
    for words, path, query in (
        (("plan", "lab/data", "copy", "edges"), "plan", {"pipeline": ["copy", "edges"]}),
        (("status", "lab/data"), "status", {}),
        (("why", "lab/data", "copy", "in:a"), "why", {"name": "copy in:a"}),
        (
            ("lineage", "lab/data", "up/a", "--downstream"),
            "lineage",
            {"path": "up/a", "downstream": True},
        ),
    ):
        assert (0, "one\\x1b\ntwo\n") == tea(*words)
        assert [(("find",), {"name": "lab/data"}), (("runs", "1" * 12, path), query)] == asked
        asked.clear()


def test_what_is_missing_is_said(asked: list[Any]) -> None:
    """With the words that would do."""
    for words in (("plan",), ("why", "lab/data"), ("lineage", "lab/data")):
        argv = ["--server", "http://tea.example", *words]
        with pytest.raises(UsageError, match="OWNER/REPO"):
            main.cli.main(argv, standalone_mode=False)
    assert [] == asked


def test_a_variable_leaves_these_verbs_to_the_dataset(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """They look at the folder, as they do without it."""
    monkeypatch.setenv("TEA_RUNNER_SERVER", "http://tea.example")
    code = CliRunner().invoke(main.cli, ["-C", str(tmp_path), "plan"]).exit_code
    assert (True, []) == (code != 0, asked)
