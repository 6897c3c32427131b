"""Bare repositories below one folder, with the forge's data of each.

``ROOT/owner/name.git`` is a plain bare repository; hooks and statuses are files in its folder
``forge/``, which git does not look at.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import ForgeError
from tea_runner.core.git.branch_kinds import maintainer
from tea_runner.host import process

#: Of git's global configuration, which repositories cannot override where it matters.
_CONFIG = """\
[core]
	hooksPath = {hooks}
	fsmonitor = false
	quotePath = false
[safe]
	directory = *
[http]
	receivepack = true
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[receive]
	fsckObjects = true
	autogc = false
	advertiseAtomic = true
[init]
	defaultBranch = main
[gc]
	auto = 0
[maintenance]
	auto = false
"""

#: The hook reports the refs that this push updated, also when others push at the same time.
_POST_RECEIVE = """\
#!/bin/sh
# Written by tea-runner's embedded forge at start; changes are lost.
if [ -n "$TEA_PUSH_REPORT" ]; then exec cat >> "$TEA_PUSH_REPORT"; fi
"""


@dataclass(frozen=True, kw_only=True)
class BareRepository:
    """One bare repository."""

    owner: str
    name: str
    path: Path
    number: int

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


class BareRepositories:
    """All repositories below *root*.

    :param path: PATH that git is found on.
    """

    def __init__(self, root: Path, *, path: str = "/usr/local/bin:/usr/bin:/bin") -> None:
        self.root = root
        self.own = root / ".forge"
        self._path = path
        self._lock = threading.Lock()
        hooks = self.own / "hooks"
        hooks.mkdir(parents=True, exist_ok=True)
        _write(hooks / "post-receive", _POST_RECEIVE, 0o755)
        _write(self.own / "gitconfig", _CONFIG.format(hooks=json.dumps(str(hooks))), 0o644)

    def environment(self) -> dict[str, str]:
        """The environment in which git runs."""
        return {
            "PATH": self._path,
            "HOME": str(self.own),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(self.own / "gitconfig"),
            "GIT_TERMINAL_PROMPT": "0",
        }

    def get(self, owner: str, name: str) -> BareRepository | None:
        """Return the repository with this name, or None."""
        name = name.removesuffix(".git")
        path = self.root / owner / f"{name}.git"
        if not is_repository_name(f"{owner}/{name}") or not (path / "HEAD").is_file():
            return None
        number = int(self.read(path, "number", 0))
        return BareRepository(owner=owner, name=name, path=path, number=number)

    def create(self, owner: str, name: str) -> BareRepository:
        """Create an empty repository; an existing one is left unchanged.

        :raises ForgeError: for a name that cannot be part of an address.
        """
        if not is_repository_name(f"{owner}/{name}") or name.endswith(".git"):
            raise ForgeError(
                f"{owner}/{name} cannot be a repository: use letters, digits, dot, dash",
                422,
            )
        with self._lock:
            there = self.get(owner, name)
            if there is not None:
                return there
            path = self.root / owner / f"{name}.git"
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.own, prefix="new-") as made:
                new = Path(made) / "new.git"
                self.git("init", "-q", "--bare", "--initial-branch=main", "--template=", str(new))
                (new / "forge").mkdir()
                _write(new / "forge" / "number.json", str(self._next_number()), 0o600)
                os.rename(new, path)
        made_one = self.get(owner, name)
        assert made_one is not None
        return made_one

    def all(self) -> Iterator[BareRepository]:
        """Yield all repositories, sorted by name."""
        for head in sorted(self.root.glob("*/*.git/HEAD")):
            found = self.get(head.parent.parent.name, head.parent.name)
            if found is not None:
                yield found

    def branches(self, repository: BareRepository) -> dict[str, str]:
        """Branch names and commits."""
        out = self.git(
            "for-each-ref",
            "--format=%(objectname) %(refname:lstrip=2)",
            "refs/heads",
            at=repository,
        )
        pairs = (line.partition(" ") for line in out.decode("utf-8", "replace").splitlines())
        return {name: tip for tip, _, name in pairs}

    def default_branch(self, repository: BareRepository) -> str:
        """The branch that clones check out; it may not exist yet."""
        # Not --short: with a tag of the same name it would be heads/NAME.
        ref = self.git("symbolic-ref", "HEAD", at=repository).decode().strip()
        return ref.removeprefix("refs/heads/")

    def point_head(self, repository: BareRepository, made: list[str]) -> None:
        """Make a new branch the default one if that does not exist, as Gitea does."""
        names = [name for name in made if not maintainer(name)]
        if names and self.default_branch(repository) not in self.branches(repository):
            self.git("symbolic-ref", "HEAD", f"refs/heads/{names[0]}", at=repository)

    def commit_of(self, repository: BareRepository, name: str) -> str | None:
        """The full id behind a branch, tag or id; None when there is no such commit."""
        for tried in (f"refs/heads/{name}", f"refs/tags/{name}", name):
            out = self.git(
                "rev-parse",
                "--verify",
                "-q",
                "--end-of-options",
                f"{tried}^{{commit}}",
                at=repository,
                check=False,
            )
            if out.strip():
                return out.decode().strip()
        return None

    def git(self, *arguments: str, at: BareRepository | None = None, check: bool = True) -> bytes:
        """Run git and return what it wrote."""
        where = ["--git-dir", str(at.path)] if at is not None else []
        done = process.run(["git", *where, *arguments], env=self.environment(), check=check)
        return done.stdout

    def read(self, path: Path, name: str, default: Any) -> Any:
        """Read data of the forge, such as the webhooks of a repository."""
        with contextlib.suppress(FileNotFoundError):
            return json.loads((path / "forge" / f"{name}.json").read_text(encoding="utf-8"))
        return default

    def keep(self, path: Path, name: str, value: object) -> None:
        """Write data of the forge."""
        folder = path / "forge"
        folder.mkdir(exist_ok=True)
        _write(folder / f"{name}.json", json.dumps(value), 0o600)

    def _next_number(self) -> int:
        number = int(self.read(self.own, "numbers", 0)) + 1
        self.keep(self.own, "numbers", number)
        return number


def _write(path: Path, text: str, mode: int) -> None:
    made, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(made, "w", encoding="utf-8") as written:
        written.write(text)
    os.chmod(name, mode)
    os.replace(name, path)
