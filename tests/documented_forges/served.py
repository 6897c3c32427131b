"""Server of git and of a forge's API, over real repositories; statuses, hooks and requests are in memory."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.embedded.api import Reply
from tea_runner.forge.embedded.request_handler import ForgeRequestHandler

_GIT = re.compile(
    r"(?:/scm)?/([^/]+)/([^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)"
)
#: Rows of a page at most: lists of tests have several pages.
PAGE = 2


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request; *parts* are what the groups of the route's pattern matched."""

    user: str
    query: Mapping[str, str]
    body: Any
    parts: Sequence[str]


@dataclass
class Kept:
    """What the forge keeps of one repository besides git."""

    private: bool = False
    #: Users to what they may do there: read or write.
    users: dict[str, str] = field(default_factory=dict)
    hooks: dict[int, dict[str, Any]] = field(default_factory=dict)
    #: By commit, the latest first.
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, dict[int, dict[str, Any]]] = field(default_factory=dict)
    #: Branches to what the forge says of their protection.
    protected: dict[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str = "Not Found") -> None:
        super().__init__(message)
        self.status = status


class DocumentedForge(EmbeddedForge):
    """A forge whose API is the routes of a subclass: method, pattern of the path, name of the method."""

    #: Path of the API.
    prefix: ClassVar[str]
    routes: ClassVar[Sequence[tuple[str, str, str]]]

    def __init__(self, root: Path) -> None:
        super().__init__(root, handler=_Handler)
        self.kept: dict[str, Kept] = {}
        self.tokens: dict[str, str] = {}
        #: Names of events that test deliveries were asked of, with the hook.
        self.tested: list[tuple[int, str]] = []
        self._number = 0
        for name in ("ada", "eve", "bot"):
            # Whoever may push is asked of the routes only.
            self.add_user(name, secrets.token_hex(4), admin=name == "bot")
            self.tokens[name] = self.add_token(name)

    def add(self, owner: str, name: str, *, private: bool = False) -> str:
        """Make a repository to which its owner and the bot may write; returns its full name."""
        self.create_repository(owner, name)
        made = Kept(private=private, users={owner: "write", "bot": "write"})
        self.kept[f"{owner}/{name}"] = made
        return f"{owner}/{name}"

    def url_to_push(self, repository: str) -> str:
        """Where the owner pushes to."""
        return self.push_url(repository, "ada", self.tokens["ada"])

    def next_number(self) -> int:
        """A number that nothing has yet."""
        self._number += 1
        return self._number

    def may(self, user: str, repository: str) -> str:
        """What a user may do: nothing, read or write."""
        there = self.kept.get(repository)
        if there is None:
            return ""
        return there.users.get(user) or ("" if there.private else "read")

    def readable(self, asked: Asked, owner: str, name: str) -> Kept:
        """What is kept of a repository that the user may read."""
        if not self.may(asked.user, f"{owner}/{name}"):
            raise Refused(404)
        return self.kept[f"{owner}/{name}"]

    def tips(self, repository: str) -> dict[str, str]:
        """Branches and commits."""
        found = self.store.get(*repository.split("/"))
        assert found is not None
        return self.store.branches(found)

    def default_branch(self, repository: str) -> str:
        """The branch of HEAD."""
        found = self.store.get(*repository.split("/"))
        assert found is not None
        return self.store.default_branch(found)

    def has_commit(self, repository: str, commit: str) -> bool:
        """Whether there is a commit of this id."""
        found = self.store.get(*repository.split("/"))
        return found is not None and self.store.commit_of(found, commit) is not None

    def number_of(self, repository: str) -> int:
        """Number of a repository."""
        found = self.store.get(*repository.split("/"))
        assert found is not None
        return found.number

    def linked(self, rows: Sequence[Any], asked: Asked, path: str) -> Reply:
        """A page of a list, with the address of the next one in the header Link."""
        page = int(asked.query.get("page", "1"))
        size = min(PAGE, int(asked.query.get("per_page", "30")))
        begin = (page - 1) * size
        headers = {}
        if begin + size < len(rows):
            address = f"{self.url}{path}?per_page={size}&page={page + 1}"
            # The other parameters stay.
            for name, value in asked.query.items():
                if name not in ("page", "per_page"):
                    address += f"&{name}={value}"
            headers["Link"] = f'<{address}>; rel="next"'
        return Reply(status=200, body=list(rows[begin : begin + size]), headers=headers)

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: Any, user: str
    ) -> Reply:
        """Find the route of a request and answer."""
        for verb, pattern, name in self.routes:
            match = re.fullmatch(pattern, path)
            if match and verb == method:
                parts = [unquote(part) for part in match.groups()]
                asked = Asked(user=user, query=query, body=body, parts=parts)
                action: Callable[[Asked], Reply] = getattr(self, name)
                try:
                    return action(asked)
                except Refused as error:
                    return Reply(status=error.status, body=self.error(str(error)))
        return Reply(status=404, body=self.error(f"no such route: {method} {path}"))

    def error(self, message: str) -> Any:
        """The body of an error."""
        return {"message": message}

    def decorate(self, reply: Reply, user: str) -> Reply:
        """Add headers that all responses have."""
        return reply


class _Handler(ForgeRequestHandler):
    """Hands requests of the API to the documented forge."""

    def respond(self) -> None:
        """Authenticate the client and answer the request."""
        forge: Any = self.forge
        parts = urlsplit(self.path)
        account = forge.accounts.authenticate(self.headers.get("Authorization", ""))
        git = _GIT.fullmatch(unquote(parts.path))
        if git and account is None:
            return self._unknown()
        if git:
            owner, name, service = git.groups()
            return self._git(account, owner, name, service, query=parts.query)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or "0"))
        if account is None:
            return self.send_json(Reply(status=401, body=forge.error("Bad credentials")))
        path = parts.path.removeprefix(forge.prefix)
        query = dict(parse_qsl(parts.query))
        body = json.loads(raw) if raw else None
        reply = forge.answer(self.command, path, query, body, account.name)
        return self.send_json(forge.decorate(reply, account.name))
