"""A world with the embedded forge over HTTP, with receiver, deliveries, statuses, and faults of the forge.

People push to the folder, so that only the server meets the faults.
"""

from __future__ import annotations

from pathlib import Path

from tea_runner.forge.embedded.webhook_payload import RefUpdate
from tea_runner.forge.registered_webhook_store import WebhookStore
from tests.e2e.test_whole_way import free_port
from tests.faults.world import World
from tests.faulty_forge import Faults, FaultyForge

ROLES = {
    "receiver": ("serve", "one"),
    "planner": ("planner", "one"),
    "reconcile": ("reconcile", "one"),
    "worker-1": ("worker", "one"),
    "worker-2": ("worker", "two"),
}


class EmbeddedWorld(World):
    """As its parent, with the whole way: delivery, receiver, plan, results, statuses."""

    def __init__(self, root: Path, faults: Faults) -> None:
        super().__init__(root, ROLES)
        self.embedded = FaultyForge(root / "forge", path=self.env["PATH"], faults=faults)
        self._person = self.embedded.add_user("lab", "secret")
        self.embedded.add_user("bot", "another secret", admin=True)
        self._token = root / "token"
        self._token.write_text(self.embedded.add_token("bot"))
        self._port = free_port()
        hooks = WebhookStore(root / "one" / "hooks")
        hook = hooks.new("gitea", "*/*")
        hooks.keep(hook)
        address = f"http://127.0.0.1:{self._port}/hooks/gitea/{hook.id}"
        self.embedded.add_default_webhook(address, hook.secrets[0])
        self.embedded.start()

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self.embedded.stop()

    def forge_settings(self) -> str:
        """The embedded forge speaks as Gitea does."""
        return (
            f'kind = "gitea"\nurl = "{self.embedded.url}"\nuser = "bot"\n'
            f'token_file = "{self._token}"\n[web]\nport = {self._port}\n'
        )

    def make(self, name: str) -> None:
        """An empty repository of the person."""
        self.embedded.create_repository("lab", name)

    def announce(self, name: str, before: str, after: str) -> None:
        """Send the deliveries of a push."""
        repository = self.embedded.store.get("lab", name)
        assert repository is not None
        moved = RefUpdate(before=before, after=after, ref="refs/heads/main")
        self.embedded.pushed(repository, self._person, [moved])

    def unsaid(self, name: str, commit: str) -> str:
        """Contexts of the pushed commit that are not at ``success``."""
        repository = self.embedded.store.get("lab", name)
        assert repository is not None
        rows = self.embedded.store.read(repository.path, f"status-{commit}", [])
        latest = {row["context"]: row["status"] for row in rows}
        missing = {"tea-runner/up", "tea-runner/sum"} - latest.keys()
        return ", ".join([*missing, *(c for c, s in latest.items() if s != "success")])
