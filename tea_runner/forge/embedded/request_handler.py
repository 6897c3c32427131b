"""HTTP request handler of the embedded forge: authentication and routing."""

from __future__ import annotations

import json
import logging
import re
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from tea_runner.forge.embedded import smart_http
from tea_runner.forge.embedded.accounts import Account, Accounts
from tea_runner.forge.embedded.api import VERSION, Api, Call, Reply, may_write
from tea_runner.forge.embedded.bare_repositories import BareRepositories, BareRepository
from tea_runner.forge.embedded.webhook_payload import RefUpdate


class ServedForge(Protocol):
    """The parts of the forge that the handler uses."""

    accounts: Accounts
    store: BareRepositories
    api: Api
    url: str

    def pushed(self, repository: BareRepository, account: Account, moved: list[RefUpdate]) -> None:
        """Send the webhooks of a push."""
        ...


_log = logging.getLogger(__name__)

_GIT = re.compile(r"/([^/]+)/([^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)")
_LARGEST = 1 << 20


class ForgeRequestHandler(BaseHTTPRequestHandler):
    """Answers the requests of one connection, one after the other.

    ``http.server`` creates one object for each connection, so a forge derives a class of its own
    with :attr:`forge` set.
    """

    forge: ServedForge
    protocol_version = "HTTP/1.1"
    server_version = "tea-runner-forge"
    sys_version = ""
    timeout = 60
    # Small answers are not held back until the client acknowledges the headers.
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    #: Whether the status line of the response was sent.
    _begun = False

    def do_GET(self) -> None:
        """Answer a request of any method."""
        self._begun = False
        try:
            self.respond()
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            # Without a response the client would only see that the connection ends.
            _log.exception("%s %s", self.command, urlsplit(self.path).path)
            self.close_connection = True
            if not self._begun:
                self.send_json(
                    Reply(status=500, body={"message": "internal error; see the forge's log"})
                )

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815 - http.server's names

    def send_response(self, code: int, message: str | None = None) -> None:
        """Send the status line."""
        self._begun = True
        super().send_response(code, message)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Requests are not logged."""

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log errors that http.server answers by itself."""
        _log.debug(format, *args)

    def respond(self) -> None:
        """Authenticate the client and answer the request."""
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        if path in ("/healthz", "/api/healthz"):
            return self.send_json(Reply(status=200, body={"status": "pass"}))
        if path == "/api/v1/version":
            return self.send_json(Reply(status=200, body={"version": VERSION}))
        account = self.forge.accounts.authenticate(self.headers.get("Authorization", ""))
        if account is None:
            return self._unknown()
        git = _GIT.fullmatch(path)
        if git:
            return self._git(account, *git.groups(), query=parts.query)
        query = dict(parse_qsl(parts.query))
        if path.startswith("/api/v1/"):
            return self._api(account, path.removeprefix("/api/v1"), query)
        return self._refuse(404, "the embedded forge has no pages; it speaks git and Gitea's API")

    def _git(self, account: Account, owner: str, name: str, service: str, *, query: str) -> None:
        asked = dict(parse_qsl(query)).get("service", "")
        pushing = "git-receive-pack" in (service, asked)
        if (self.command, service) not in smart_http.SERVICES or (
            service == "info/refs" and asked not in ("git-upload-pack", "git-receive-pack")
        ):
            return self._refuse(404, "only git's smart protocol is spoken here")
        repository = self.forge.store.get(owner, name)
        if repository is None and pushing and owner == account.name:
            repository = self.forge.store.create(owner, name)
        if repository is None:
            return self._refuse(404, f"there is no repository {owner}/{name}")
        if pushing and not may_write(account, repository):
            return self._refuse(403, f"{account.name} may not push to {owner}/{name}")
        found = repository
        smart_http.serve(
            self,
            self.forge.store,
            found,
            account,
            service,
            query,
            lambda moved: self.forge.pushed(found, account, moved),
        )
        return None

    def _api(self, account: Account, path: str, query: dict[str, str]) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > _LARGEST:
            return self._refuse(413, "the body is too large")
        raw = self.rfile.read(int(length))
        try:
            body = json.loads(raw) if raw else None
        except (ValueError, RecursionError):
            return self.send_json(Reply(status=422, body={"message": "the body is not JSON"}))
        call = Call(
            account=account, method=self.command, query=query, body=body, url=self.forge.url
        )
        return self.send_json(self.forge.api.call(path, call))

    def _unknown(self) -> None:
        self._drain()
        body = json.dumps({"message": "user does not exist or password is wrong"}).encode()
        self._send(401, "application/json", body, {"WWW-Authenticate": 'Basic realm="tea-runner"'})

    def _refuse(self, status: int, sentence: str) -> None:
        """Refuse with plain text, which git shows to the person who pushes."""
        self._drain()
        self._send(status, "text/plain; charset=utf-8", f"{sentence}\n".encode())

    def _drain(self) -> None:
        """Read the rest of the body, up to a limit, so that the client reads the response."""
        read = 0
        try:
            for piece in smart_http.body(self):
                read += len(piece)
                if read > _LARGEST:
                    self.close_connection = True
                    return
        except (smart_http.BodyError, OSError, ValueError):
            self.close_connection = True

    def send_json(self, reply: Reply) -> None:
        """Send a reply of the API."""
        body = b"" if reply.body is None else json.dumps(reply.body).encode()
        self._send(reply.status, "application/json", body, reply.headers)

    def _send(
        self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)
        self.wfile.flush()
