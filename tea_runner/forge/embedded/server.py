"""Small forge in one process: git's smart HTTP, a part of Gitea's API, and webhooks in Gitea's format.

Everything except the version and the health check needs authentication.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tea_runner.core.errors import OutsideError
from tea_runner.core.host_and_port import format_address
from tea_runner.forge.embedded.accounts import Account, Accounts
from tea_runner.forge.embedded.api import Api
from tea_runner.forge.embedded.bare_repositories import BareRepositories, BareRepository
from tea_runner.forge.embedded.request_handler import ForgeRequestHandler
from tea_runner.forge.embedded.webhook_payload import RefUpdate, events
from tea_runner.forge.embedded.webhook_sender import Delivery, WebhookSender, make_delivery

_log = logging.getLogger(__name__)


class _Server(ThreadingHTTPServer):
    """HTTP server with a long backlog; clients that disconnect are not logged as errors."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[ForgeRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Listen on all addresses of both versions where the host is ``::``."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def server_activate(self) -> None:
        """Listen without blocking in ``accept``.

        A client that disconnects between ``select`` and ``accept`` would block the server until
        the next connection, and :meth:`EmbeddedForge.stop` for ever.
        """
        super().server_activate()
        self.socket.setblocking(False)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; reading from it blocks."""
        client, address = super().get_request()
        client.setblocking(True)
        return client, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what ended a connection; a client that disconnected only at debug level."""
        del request
        gone = isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError))
        level = logging.DEBUG if gone else logging.ERROR
        _log.log(level, "a request of %s failed", client_address, exc_info=True)


class EmbeddedForge:
    """Bare repositories below *root*, served on *host* and *port* (0 takes a free one).

    :param url: the address that clients use, when it is not ``http://host:port``.
    :param path: PATH that git is found on.
    :param sender: sends the webhooks; a new one by default.
    :param handler: answers the requests.
    :raises OutsideError: when the folder cannot be written, or the port is in use.
    """

    def __init__(
        self,
        root: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        url: str = "",
        path: str = "/usr/local/bin:/usr/bin:/bin",
        sender: WebhookSender | None = None,
        handler: type[ForgeRequestHandler] = ForgeRequestHandler,
    ) -> None:
        self.root = root
        try:
            self.store = BareRepositories(root, path=path)
        except OSError as error:
            raise OutsideError(f"{root}: cannot be written: {error.strerror}") from error
        self.accounts = Accounts(root / "accounts.json")
        self.sender = sender or WebhookSender()
        self.api = Api(self.store, self.sender)
        served = type("ServedRequestHandler", (handler,), {"forge": self})
        try:
            self._server = _Server((host, port), served)
        except OSError as error:
            raise OutsideError(
                f"cannot listen on {format_address(host, port)}: {error.strerror}",
                hint="choose another port",
            ) from error
        self.host = host
        self.port = int(self._server.server_address[1])
        self.url = url.rstrip("/") or f"http://{format_address(host, self.port)}"
        self._thread: threading.Thread | None = None

    def add_user(self, name: str, password: str, *, admin: bool = False) -> Account:
        """Create a user, or change its password; an administrator may write to all repositories."""
        return self.accounts.add(name, password, admin=admin)

    def add_token(self, name: str) -> str:
        """Create a token of a user, valid for git and the API."""
        return self.accounts.add_token(name)

    def add_default_webhook(self, url: str, secret: str) -> None:
        """Create one webhook for all present and future repositories (Gitea: system webhook)."""
        config = {"url": url, "secret": secret, "content_type": "json"}
        hook = {"id": 0, "type": "gitea", "config": config, "events": ["push"], "active": True}
        self.store.keep(self.store.own, "hooks", [hook])

    def create_repository(self, owner: str, name: str) -> BareRepository:
        """Create an empty repository; an existing one is left unchanged."""
        return self.store.create(owner, name)

    def push_url(self, repository: str, name: str, password: str) -> str:
        """A URL with name and password, for people to copy; not for settings."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{name}:{password}@{rest}/{repository}.git"

    def pushed(self, repository: BareRepository, account: Account, moved: list[RefUpdate]) -> None:
        """Send the webhooks of a push, in the background."""
        heads = [each.ref for each in moved if each.created and each.ref.startswith("refs/heads/")]
        if heads:
            self.store.point_head(repository, [ref.removeprefix("refs/heads/") for ref in heads])
        if moved:
            self.sender.submit(lambda: self._announce(repository, account, moved))

    def _announce(
        self, repository: BareRepository, account: Account, moved: list[RefUpdate]
    ) -> None:
        kept = [
            *self.store.read(self.store.own, "hooks", []),
            *self.store.read(repository.path, "hooks", []),
        ]
        hooks = [hook for hook in kept if hook["active"]]
        due: list[Delivery] = []
        for each in moved if hooks else []:
            for event, payload in events(self.store, repository, account, each, self.url):
                due += [
                    make_delivery(hook, event, payload) for hook in hooks if event in hook["events"]
                ]
        self.sender.send(due)

    def start(self) -> EmbeddedForge:
        """Serve from a thread of this process."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        return self

    def serve_forever(self, started: Callable[[], None] | None = None) -> None:
        """Serve until :meth:`stop` is called from another thread, or a signal ends the process."""
        if started is not None:
            started()
        try:
            self._server.serve_forever()
        finally:
            self._server.server_close()
            self.sender.stop()

    def stop(self) -> None:
        """Stop serving and delivering."""
        self._server.shutdown()
        self._server.server_close()
        self.sender.stop()
        if self._thread is not None:
            self._thread.join(10)

    def __enter__(self) -> EmbeddedForge:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
