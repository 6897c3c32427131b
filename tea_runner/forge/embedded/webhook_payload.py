"""Webhook events and payloads of a ref update, as Gitea makes them.

Fields and their order are those of Gitea 1.26 (``modules/structs/hook.go``), as recorded from one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tea_runner.forge.embedded.accounts import Account
from tea_runner.forge.embedded.bare_repositories import BareRepositories, BareRepository

#: How many commits a delivery lists; Gitea's FEED_MAX_COMMIT_NUM.
LISTED = 5
_NEVER = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, kw_only=True)
class RefUpdate:
    """A ref that a push updated; an object id of zeros means that the ref does not exist."""

    before: str
    after: str
    ref: str

    @property
    def created(self) -> bool:
        """Whether the push created the ref."""
        return set(self.before) == {"0"}

    @property
    def deleted(self) -> bool:
        """Whether the push deleted the ref."""
        return set(self.after) == {"0"}


def events(
    store: BareRepositories, repository: BareRepository, pusher: Account, moved: RefUpdate, url: str
) -> list[tuple[str, dict[str, Any]]]:
    """Event names and payloads, in the order in which Gitea makes them.

    A deleted branch has no push; a tag always has one, from nothing.
    """
    kind = {"refs/heads/": "branch", "refs/tags/": "tag"}
    prefix = next((each for each in kind if moved.ref.startswith(each)), "")
    if not prefix:
        return []
    ref_type = kind[prefix]
    about = about_repository(store, repository, url)
    who = about_user(pusher, url)
    short: dict[str, Any] = {"ref": moved.ref.removeprefix(prefix), "ref_type": ref_type}
    push = ("push", _push(store, repository, moved, url, about, who))
    if moved.deleted:
        ends = {**short, "pusher_type": "user", "repository": about, "sender": who}
        return [("delete", ends)] if ref_type == "branch" else [push, ("delete", ends)]
    begins = {"sha": moved.after, **short, "repository": about, "sender": who}
    if ref_type == "tag":
        return [push, ("create", begins)]
    return [("create", begins), push] if moved.created else [push]


def still_event(
    store: BareRepositories, repository: BareRepository, pusher: Account, url: str
) -> tuple[str, dict[str, Any]] | None:
    """Push event of the default branch that moves nothing; None if the branch does not exist."""
    branches = store.branches(repository)
    name = store.default_branch(repository)
    if name not in branches:
        return None
    still = RefUpdate(before=branches[name], after=branches[name], ref=f"refs/heads/{name}")
    about, who = about_repository(store, repository, url), about_user(pusher, url)
    return "push", _push(store, repository, still, url, about, who)


def _push(
    store: BareRepositories,
    repository: BareRepository,
    moved: RefUpdate,
    url: str,
    about: dict[str, Any],
    who: dict[str, Any],
) -> dict[str, Any]:
    commits: list[dict[str, Any]] = []
    total = 0
    tag = moved.ref.startswith("refs/tags/")
    if not moved.deleted and not tag:
        span = moved.after if moved.created else f"{moved.before}..{moved.after}"
        # A new branch counts ten at most, as in Gitea.
        limit = "--max-count=10" if moved.created else "--max-count=100000"
        count = store.git("rev-list", "--count", limit, span, "--", at=repository, check=False)
        total = int(count or 0)
        commits = _commits(store, repository, span, url)
    head = _commits(store, repository, moved.after, url)[:1] if not moved.deleted else []
    return {
        "ref": moved.ref,
        "before": "0" * len(moved.before) if tag and not moved.deleted else moved.before,
        "after": moved.after,
        "compare_url": f"{about['html_url']}/compare/{moved.before}...{moved.after}",
        "commits": commits,
        "total_commits": total,
        "head_commit": head[0] if head else None,
        "repository": about,
        "pusher": who,
        "sender": who,
    }


def _commits(
    store: BareRepositories, repository: BareRepository, span: str, url: str
) -> list[dict[str, Any]]:
    """The newest commits with the files that each changed."""
    ids = store.git("rev-list", f"--max-count={LISTED}", span, "--", at=repository, check=False)
    form = "--format=%B%x00%an%x00%ae%x00%cn%x00%ce%x00%cI%x00"
    found = []
    for oid in ids.decode().split():
        # One call each: a message may hold anything but NUL.
        out = store.git(
            "log",
            "-1",
            "-z",
            "--no-renames",
            "--name-status",
            "--no-ext-diff",
            "--diff-merges=first-parent",
            form,
            oid,
            "--",
            at=repository,
        )
        message, an, ae, cn, ce, when, files = out.decode("utf-8", "replace").split("\0", 6)
        touched: dict[str, list[str]] = {"A": [], "D": [], "M": []}
        words = [word.lstrip("\n") for word in files.split("\0") if word.strip("\n")]
        for letter, path in zip(words[::2], words[1::2], strict=False):
            touched.get(letter[:1], touched["M"]).append(path)
        found.append(
            {
                "id": oid,
                "message": message,
                "url": f"{url}/{repository.full_name}/commit/{oid}",
                "author": {"name": an, "email": ae, "username": ""},
                "committer": {"name": cn, "email": ce, "username": ""},
                "verification": None,
                "timestamp": when,
                "added": touched["A"],
                "removed": touched["D"],
                "modified": touched["M"],
            }
        )
    return found


def about_user(account: Account, url: str) -> dict[str, Any]:
    """A user in the API and in deliveries."""
    return {
        "id": account.number,
        "login": account.name,
        "full_name": "",
        "email": f"{account.name}@noreply.localhost",
        "html_url": f"{url}/{account.name}",
        "is_admin": account.admin,
        "last_login": _NEVER,
        "username": account.name,
    }


def about_repository(
    store: BareRepositories, repository: BareRepository, url: str
) -> dict[str, Any]:
    """A repository in the API and in deliveries."""
    page = f"{url}/{repository.full_name}"
    return {
        "id": repository.number,
        # Every account of the forge may read every repository, and nobody else.
        "owner": {
            "id": 0,
            "login": repository.owner,
            "visibility": "limited",
            "username": repository.owner,
        },
        "name": repository.name,
        "full_name": repository.full_name,
        "description": "",
        "empty": not store.branches(repository),
        "private": False,
        "fork": False,
        "mirror": False,
        "html_url": page,
        "url": f"{url}/api/v1/repos/{repository.full_name}",
        "ssh_url": "",
        "clone_url": f"{page}.git",
        "default_branch": store.default_branch(repository),
        "archived": False,
        "object_format_name": "sha1",
        "permissions": {"admin": True, "push": True, "pull": True},
    }
