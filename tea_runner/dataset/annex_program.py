"""Run git-annex in one repository: single commands, and batch processes that are kept."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tea_runner.core.datums.content_identity import key_size
from tea_runner.core.errors import CommandError
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.host import process


def transfer_timeout(size: int) -> float:
    """Seconds after which git-annex, or the storage, is regarded as hanging: 10 minutes plus 1 MiB/s.

    :param size: bytes to transfer or hash.
    """
    return 600 + size / 2**20


class AnnexProgram:
    """git-annex in one repository.

    :param cwd: where it runs: the working tree, or the directory of a bare repository.
    :param variables: further variables, such as credentials of storages.
    """

    def __init__(
        self,
        git_dir: Path,
        cwd: Path,
        environment: GitEnvironment,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.git_dir = git_dir
        self._cwd = cwd
        self._git_env = environment.variables
        self._env = environment.with_(
            # git-annex runs git in the bare repository by its path, which safe.bareRepository=explicit
            # in our configuration forbids.
            GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0="safe.bareRepository",
            GIT_CONFIG_VALUE_0="all",
            **(variables or {}),
        )
        self._batches: dict[tuple[str, ...], process.BatchProcess] = {}

    def run(self, *arguments: str, check: bool = True) -> bytes:
        """Run one command and return its output.

        :raises CommandError: when it fails and *check* is true.
        """
        done = process.run(
            ["git-annex", *arguments],
            env=self._env,
            cwd=self._cwd,
            check=check,
            why=f"git annex {arguments[0]}",
        )
        return bytes(done.stdout)

    def exit_code(self, *arguments: str) -> tuple[int, str]:
        """Run one command and return its exit code and error output."""
        done = process.run(["git-annex", *arguments], env=self._env, cwd=self._cwd, check=False)
        return done.returncode, done.stderr.decode("utf-8", "replace").strip()

    def ask(self, line: bytes, *arguments: str, timeout: float) -> bytes:
        """Send a line to a batch process, started if necessary, and return the line that it answers."""
        batch = self._batch(arguments)
        batch.send(line + b"\n")
        return batch.receive(timeout=timeout)

    def ask_json(self, keys: Sequence[str], *arguments: str) -> Iterator[dict[str, Any]]:
        """Send keys to a batch process that answers with JSON (git-annex, ``--json --batch-keys``).

        Yields one answer per key.  An answer that is not JSON is yielded as a failure with its text.
        """
        for key in keys:
            text = self.ask(
                key.encode("utf-8", "surrogateescape"),
                *arguments,
                "--batch-keys",
                "--json",
                "--json-error-messages",
                timeout=transfer_timeout(key_size(key) or 0),
            )
            if not text:
                # git-annex answers with an empty line when there is nothing to do for a key.
                yield {"success": True, "key": key}
                continue
            try:
                answer = json.loads(text)
            except ValueError:
                answer = {
                    "success": False,
                    "key": key,
                    "error-messages": [text.decode("utf-8", "replace")],
                }
            yield answer

    def _batch(self, arguments: tuple[str, ...]) -> process.BatchProcess:
        batch = self._batches.get(arguments)
        if batch is None or not batch.alive:
            if batch is not None:
                batch.close()
            batch = process.BatchProcess(["git-annex", *arguments], env=self._env, cwd=self._cwd)
            self._batches[arguments] = batch
        return batch

    def config(self, name: str) -> str:
        """A value of the repository's git configuration, empty when it is unset."""
        done = process.run(
            ["git", f"--git-dir={self.git_dir}", "config", "--get", name],
            env=self._git_env,
            check=False,
        )
        return str(done.stdout.decode("utf-8", "replace").strip())

    def set_config(self, name: str, value: str) -> None:
        """Set a value of the repository's git configuration."""
        process.run(["git", f"--git-dir={self.git_dir}", "config", name, value], env=self._git_env)

    def close(self) -> None:
        """End the batch processes; git-annex writes its journal at their end."""
        for batch in self._batches.values():
            with contextlib.suppress(CommandError, OSError):
                batch.close()
        self._batches.clear()


def error_text(answer: Mapping[str, Any]) -> str:
    """The reason in an answer of git-annex: its error messages, or else its note."""
    messages = answer.get("error-messages") or [answer.get("note") or ""]
    return " ".join(str(message) for message in messages).strip()
