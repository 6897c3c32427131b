"""A folder of bare repositories as a forge without a server.

The repositories are ``ROOT/owner/name.git``, on this machine or on a shared file system.  Commit
statuses go to the log.  A ``post-receive`` hook sends deliveries to the receiver; without one, the
reconciler finds pushes.
"""

# ruff: noqa: ARG002 - a folder has no statuses and no pull requests

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from tea_runner.core.deliveries.delivery_events import reason_to_ignore
from tea_runner.core.deliveries.registered_webhook import (
    ListedWebhook,
    is_repository_name,
    matches_repository,
)
from tea_runner.core.errors import ForgeError
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tea_runner.core.git.pull_request import PULL_HEADS, ListedPullRequest
from tea_runner.core.repository_visibility import Audience
from tea_runner.forge import post_receive
from tea_runner.ports import CommitStatusState

_log = logging.getLogger(__name__)
_MARK = "tea-runner post-receive"
_CONFIG = "tea-runner.json"


class FolderForge:
    """Bare repositories below one folder, as a :class:`~tea_runner.ports.Forge`."""

    pull_refs = PULL_HEADS

    def __init__(self, root: Path) -> None:
        self.root = root

    def remote_url(self, repository: str) -> str:
        """The URL from which git clones."""
        return f"file://{quote(str(self._path(repository)))}"

    def repositories(self, patterns: Sequence[str]) -> Sequence[str]:
        """The names that match one of the patterns, sorted."""
        return sorted(
            name
            for name in self._all()
            if any(matches_repository(pattern, name) for pattern in patterns)
        )

    def repository_id(self, repository: str) -> int | None:
        """None: a folder has no repository ids.

        :raises ForgeError: when the repository does not exist.
        """
        self._path(repository)
        return None

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branch names and commits, read from git's loose and packed refs (gitrepository-layout)."""
        path = self._path(repository)
        found: dict[str, str] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in (path / "packed-refs").read_text("utf-8", "surrogateescape").splitlines():
                tip, _, ref = line.partition(" ")
                if ref.startswith("refs/heads/") and not tip.startswith(("#", "^")):
                    found[ref.removeprefix("refs/heads/")] = tip
        heads = path / "refs" / "heads"
        for file in heads.rglob("*"):
            if file.is_file() and not file.name.endswith(".lock"):
                with contextlib.suppress(FileNotFoundError):
                    found[str(file.relative_to(heads))] = file.read_text().strip()
        return found

    def refs(self, repository: str, *prefixes: str) -> Mapping[str, str] | None:
        """None: git lists the refs of a local repository without a request."""
        return None

    def current_name(self, repository: str) -> tuple[str, int | None]:
        """The name itself: folders leave no trace of a former name."""
        return repository, None

    def branch_protection(self, repository: str) -> BranchProtection:
        """The branch of ``HEAD``: a folder protects none."""
        head = (self._path(repository) / "HEAD").read_text("utf-8", "surrogateescape").strip()
        default = (
            head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else ""
        )
        return BranchProtection(default=default, branches=frozenset(self.branches(repository)))

    def audience(self, repository: str) -> Audience:
        """Everybody: a folder has no accounts, and its file system decides who reads it.

        :raises ForgeError: when the repository does not exist.
        """
        self._path(repository)
        return Audience(visibility="public")

    def pull_requests(
        self,
        repository: str,
        *,
        closed: bool = False,
    ) -> Sequence[ListedPullRequest]:
        """None: a folder has no pull requests.

        :raises ForgeError: when the repository does not exist.
        """
        self._path(repository)
        return []

    def pull_request(self, repository: str, number: int) -> ListedPullRequest | None:
        """None: a folder has no pull requests."""
        self._path(repository)
        return None

    def open_pull_request(
        self,
        repository: str,
        *,
        head: str,
        base: str,
        title: str,
        text: str,
    ) -> ListedPullRequest | None:
        """None: a folder has no pull requests."""
        self._path(repository)
        return None

    def edit_pull_request(
        self, repository: str, number: int, *, title: str, text: str, close: bool = False
    ) -> None:
        """Raise, as there is none.

        :raises ForgeError: always.
        """
        raise ForgeError(f"{self._path(repository)} has no pull request {number}", 404)

    def write_comment(
        self,
        repository: str,
        number: int,
        text: str,
        *,
        marker: str,
        comment: str = "",
    ) -> str:
        """Empty: comments are not stored."""
        self._path(repository)
        return ""

    def set_commit_status(
        self,
        repository: str,
        commit: str,
        state: CommitStatusState,
        *,
        description: str,
        context: str,
        target_url: str = "",
    ) -> None:
        """Write the status to the log."""
        _log.info(
            "%s %s %s: %s: %s %s", repository, commit, context, state, description, target_url
        )

    def commit_statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """Empty: statuses are not stored."""
        return {}

    def add_webhook(self, repository: str, *, url: str, secret: str) -> str:
        """Install a ``post-receive`` hook that sends deliveries as Gitea does.

        :raises ForgeError: when the repository has another post-receive hook, or cannot be written.
        """
        folder = self._path(repository) / "hooks"
        hook = folder / "post-receive"
        if hook.exists() and _MARK not in hook.read_text("utf-8", "replace"):
            raise ForgeError(
                f"{hook} exists and is not a hook of tea-runner",
                hint=f"call {post_receive.__name__} from it, or remove it and add the hook again",
            )
        script = Path(post_receive.__file__).read_text(encoding="utf-8")
        config = json.dumps({"url": url, "secret": secret, "repository": repository}, indent=1)
        try:
            folder.mkdir(exist_ok=True)
            # The hook runs as the user who pushes, who therefore must be able to read the secret.
            _write(folder / _CONFIG, config, 0o640)
            _write(hook, f"#!/usr/bin/env python3\n# {_MARK}\n{script}", 0o755)
        except OSError as error:
            raise ForgeError(f"{hook}: cannot be written: {error.strerror}") from error
        return "post-receive"

    def webhooks(self, repository: str) -> Sequence[ListedWebhook]:
        """The hook of tea-runner, when it is installed."""
        folder = self._path(repository) / "hooks"
        try:
            url = str(json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["url"])
        except (OSError, ValueError, KeyError):
            return []
        hook = folder / "post-receive"
        active = hook.exists() and bool(hook.stat().st_mode & stat.S_IXUSR)
        return [ListedWebhook(id="post-receive", url=url, active=active)]

    def test_webhook(self, repository: str, hook: str) -> None:
        """Send a delivery of a push that moves nothing.

        :raises ForgeError: when the repository has no branch, or the receiver refuses the delivery.
        """
        folder = self._path(repository) / "hooks"
        # The receiver ignores deliveries of git-annex's branches before it recognizes a test.
        tips = sorted(self.branches(repository).items())
        branches = [tip for tip in tips if not reason_to_ignore(f"refs/heads/{tip[0]}")]
        if not branches:
            raise ForgeError(f"{repository} has no branch yet", hint="push something first")
        name, commit = branches[0]
        problem = post_receive.send(folder / _CONFIG, commit, commit, f"refs/heads/{name}")
        if problem:
            raise ForgeError(f"{repository}: the hook {hook}: {problem}")

    def remove_webhook(self, repository: str, hook: str) -> None:
        """Remove the hook of tea-runner; other hooks are kept."""
        folder = self._path(repository) / "hooks"
        script = folder / hook
        if script.exists() and _MARK in script.read_text("utf-8", "replace"):
            script.unlink()
        with contextlib.suppress(FileNotFoundError):
            (folder / _CONFIG).unlink()

    def check(self) -> Sequence[str]:
        """Problems of the folder, empty when there are none."""
        if not self.root.is_dir():
            return [f"{self.root} is not a folder; create it, or change forge.url"]
        if not os.access(self.root, os.W_OK | os.X_OK):
            return [f"{self.root} is not writable for this user; results are pushed there"]
        return []

    def _path(self, repository: str) -> Path:
        path = self.root / f"{repository}.git"
        if not is_repository_name(repository) or not (path / "HEAD").is_file():
            raise ForgeError(
                f"repository {repository} not found below {self.root}",
                404,
                hint=f"create it with `git init --bare -b main {path}`",
            )
        return path

    def _all(self) -> Iterator[str]:
        try:
            for head in self.root.glob("*/*.git/HEAD"):
                name = f"{head.parent.parent.name}/{head.parent.name.removesuffix('.git')}"
                if is_repository_name(name):
                    yield name
        except OSError as error:
            raise ForgeError(f"{self.root}: cannot be read: {error.strerror}") from error


def _write(path: Path, text: str, mode: int) -> None:
    made = path.with_name(path.name + ".new")
    made.write_text(text, encoding="utf-8")
    made.chmod(mode)
    os.replace(made, path)
