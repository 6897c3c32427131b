"""The part of Gitea's API (``/api/v1``) that tea-runner uses."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tea_runner.core.errors import ForgeError
from tea_runner.forge.embedded import webhook_payload
from tea_runner.forge.embedded.accounts import Account
from tea_runner.forge.embedded.bare_repositories import BareRepositories, BareRepository
from tea_runner.forge.embedded.webhook_sender import WebhookSender, make_delivery

VERSION = "1.26.3+tea-runner"
_STATES = ("pending", "success", "error", "failure", "warning")
_WORST = ("failure", "error", "warning", "pending", "success")
_OID = re.compile(r"[0-9a-f]{4,64}")
#: Like Gitea's DEFAULT_PAGING_NUM and MAX_RESPONSE_ITEMS.
_PAGE, _LARGEST_PAGE = 30, 50


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to the API."""

    account: Account
    method: str
    query: dict[str, str]
    body: Any
    url: str


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Status, body and headers of a response."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class CallError(Exception):
    """A call is refused, with an HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """The calls, one method each; :meth:`call` routes to them."""

    def __init__(self, store: BareRepositories, sender: WebhookSender) -> None:
        self.store = store
        self.sender = sender
        self._lock = threading.Lock()
        about = r"/repos/([^/]+)/([^/]+)"
        self._routes: list[tuple[str, str, Callable[..., Reply]]] = [
            ("GET", "/user", self.user),
            ("GET", "/repos/search", self.search),
            ("GET", about, self.repository),
            ("GET", about + "/branches", self.branches),
            ("GET", about + "/hooks", self.webhooks),
            ("POST", about + "/hooks", self.add_webhook),
            ("DELETE", about + r"/hooks/(\d+)", self.remove_webhook),
            ("POST", about + r"/hooks/(\d+)/tests", self.test_webhook),
            ("POST", about + r"/statuses/([^/]+)", self.set_commit_status),
            ("GET", about + r"/commits/(.+)/status", self.combined),
        ]

    def call(self, path: str, call: Call) -> Reply:
        """Route a call and carry it out."""
        there = False
        for method, pattern, action in self._routes:
            match = re.fullmatch(pattern, path)
            if match:
                there = True
                if method == call.method:
                    try:
                        return action(call, *match.groups())
                    except CallError as error:
                        return Reply(status=error.status, body={"message": str(error)})
                    except ForgeError as error:
                        return Reply(
                            status=error.response_status or 500, body={"message": error.message}
                        )
        return Reply(status=405 if there else 404, body={"message": "not found"})

    def user(self, call: Call) -> Reply:
        """The authenticated user."""
        return Reply(status=200, body=webhook_payload.about_user(call.account, call.url))

    def search(self, call: Call) -> Reply:
        """All repositories, in pages."""
        wanted = call.query.get("q", "").lower()
        found = [each for each in self.store.all() if wanted in each.name.lower()]
        rows, headers = _paged(call, "/repos/search", found)
        data = [self._about(each, call) for each in rows]
        return Reply(status=200, body={"ok": True, "data": data}, headers=headers)

    def repository(self, call: Call, owner: str, name: str) -> Reply:
        """One repository."""
        return Reply(status=200, body=self._about(self._find(owner, name), call))

    def branches(self, call: Call, owner: str, name: str) -> Reply:
        """Branches with their commits, in pages."""
        found = self.store.branches(self._find(owner, name))
        rows, headers = _paged(call, f"/repos/{owner}/{name}/branches", sorted(found.items()))
        body = [{"name": branch, "commit": {"id": tip}} for branch, tip in rows]
        return Reply(status=200, body=body, headers=headers)

    def webhooks(self, call: Call, owner: str, name: str) -> Reply:
        """The webhooks of a repository, in pages, without their secrets."""
        found = self.store.read(self._ours(call, owner, name).path, "hooks", [])
        rows, headers = _paged(call, f"/repos/{owner}/{name}/hooks", found)
        return Reply(status=200, body=[_public(each) for each in rows], headers=headers)

    def add_webhook(self, call: Call, owner: str, name: str) -> Reply:
        """Create a webhook; by default inactive and for pushes, as in Gitea."""
        repository, fields = self._ours(call, owner, name), _object(call)
        config = fields.get("config")
        if fields.get("type") not in ("gitea", "forgejo", "gogs") or not isinstance(config, dict):
            raise CallError(422, "Invalid hook type or config")
        if not config.get("url") or config.get("content_type") not in ("json", "form"):
            raise CallError(422, "Missing config option: url, content_type")
        with self._lock:
            kept = self.store.read(repository.path, "hooks", [])
            number = 1 + int(self.store.read(self.store.own, "hook-numbers", 0))
            self.store.keep(self.store.own, "hook-numbers", number)
            made = {
                "id": number,
                "type": fields["type"],
                "config": {str(key): str(value) for key, value in config.items()},
                "events": list(fields.get("events") or ["push"]),
                "active": fields.get("active") is True,
            }
            self.store.keep(repository.path, "hooks", [*kept, made])
        return Reply(status=201, body=_public(made))

    def remove_webhook(self, call: Call, owner: str, name: str, number: str) -> Reply:
        """Delete a webhook."""
        repository = self._ours(call, owner, name)
        with self._lock:
            kept = self.store.read(repository.path, "hooks", [])
            left = [hook for hook in kept if hook["id"] != int(number)]
            if len(left) == len(kept):
                raise CallError(404, "not found")
            self.store.keep(repository.path, "hooks", left)
        return Reply(status=204)

    def test_webhook(self, call: Call, owner: str, name: str, number: str) -> Reply:
        """Send a test delivery, of a push that moves nothing."""
        repository = self._ours(call, owner, name)
        hook = self._hook(repository, number)
        made = webhook_payload.still_event(self.store, repository, call.account, call.url)
        if made is not None:
            self.sender.send([make_delivery(hook, *made)])
        return Reply(status=204)

    def set_commit_status(self, call: Call, owner: str, name: str, sha: str) -> Reply:
        """Set a commit status."""
        repository, fields = self._ours(call, owner, name), _object(call)
        commit = self.store.commit_of(repository, sha) if _OID.fullmatch(sha) else None
        if commit is None:
            raise CallError(500, "")
        if fields.get("state") not in _STATES:
            raise CallError(422, f"state: expected one of {', '.join(_STATES)}")
        with self._lock:
            rows = self.store.read(repository.path, f"status-{commit}", [])
            made = {
                "id": len(rows) + 1,
                "status": fields["state"],
                "target_url": str(fields.get("target_url") or ""),
                "description": str(fields.get("description") or ""),
                "context": str(fields.get("context") or "default"),
                "creator": webhook_payload.about_user(call.account, call.url),
                "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            self.store.keep(repository.path, f"status-{commit}", [*rows, made])
        return Reply(status=201, body=made)

    def combined(self, _call: Call, owner: str, name: str, ref: str) -> Reply:
        """Combined status: the latest of each context, and the worst of these."""
        commit, rows = self._status_rows(owner, name, ref)
        latest = list({row["context"]: row for row in rows}.values())
        state = next((each for each in _WORST if any(r["status"] == each for r in latest)), "")
        worst = "failure" if state in ("error", "warning") else state
        body = {"state": worst, "sha": commit, "total_count": len(latest), "statuses": latest}
        return Reply(status=200, body=body)

    def _status_rows(self, owner: str, name: str, ref: str) -> tuple[str, list[dict[str, Any]]]:
        repository = self._find(owner, name)
        commit = self.store.commit_of(repository, ref)
        if commit is None:
            raise CallError(404, "not found")
        return commit, self.store.read(repository.path, f"status-{commit}", [])

    def _find(self, owner: str, name: str) -> BareRepository:
        found = self.store.get(owner, name)
        if found is None:
            raise CallError(404, "not found")
        return found

    def _ours(self, call: Call, owner: str, name: str) -> BareRepository:
        found = self._find(owner, name)
        if not may_write(call.account, found):
            raise CallError(403, "user should be an owner or a collaborator with admin write")
        return found

    def _about(self, repository: BareRepository, call: Call) -> dict[str, Any]:
        writes = may_write(call.account, repository)
        permissions = {"admin": writes, "push": writes, "pull": True}
        about = webhook_payload.about_repository(self.store, repository, call.url)
        return {**about, "permissions": permissions}

    def _hook(self, repository: BareRepository, number: str) -> dict[str, Any]:
        for hook in self.store.read(repository.path, "hooks", []):
            if hook["id"] == int(number):
                return dict(hook)
        raise CallError(404, "not found")


def may_write(account: Account, repository: BareRepository) -> bool:
    """Whether the user may write: owners to their repositories, administrators to all."""
    return account.admin or account.name == repository.owner


def _object(call: Call) -> dict[str, Any]:
    if not isinstance(call.body, dict):
        raise CallError(422, "expected a JSON object")
    return call.body


def _public(hook: dict[str, Any]) -> dict[str, Any]:
    config = {key: value for key, value in hook["config"].items() if key != "secret"}
    return {**json.loads(json.dumps(hook)), "config": config}


def _paged(call: Call, path: str, rows: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """Rows of one page, and its headers with the link to the next."""
    page = _number(call.query.get("page"), 1, 1 << 20)
    limit = _number(call.query.get("limit"), _PAGE, _LARGEST_PAGE)
    headers = {"X-Total-Count": str(len(rows))}
    if page * limit < len(rows):
        following = f"{call.url}/api/v1{path}?limit={limit}&page={page + 1}"
        headers["Link"] = f'<{following}>; rel="next"'
    return rows[(page - 1) * limit : page * limit], headers


def _number(text: str | None, otherwise: int, largest: int) -> int:
    if text is None or not text.isdecimal() or len(text) > 9:
        return otherwise
    return min(max(int(text), 1), largest)
