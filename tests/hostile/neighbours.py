"""Repositories on one forge, whose readers a test chooses."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tea_runner.core.repository_visibility import Audience
from tea_runner.forge.cached_facts import CachedFacts
from tests.hostile.forge import HostileForge, Met
from tests.twins.forge import MemoryForge

PUBLIC = Audience(visibility="public")
ADA = Audience(visibility="private", owner="lab", people=frozenset({"ada"}))


class Neighbours:
    """Repositories on one forge, whose readers a test chooses."""

    def __init__(self, root: Path, more: str = "") -> None:
        """Make them.

        :param more: lines of the settings' table of the forge.
        """
        self.forge = HostileForge(root, top='trusted_repositories = ["lab/*"]', more=more)
        self.facts = MemoryForge()
        self._now = time.time()
        kept = self.forge.root / "host" / "facts"
        vars(self.forge.site)["forge_facts"] = CachedFacts(self.facts, kept, lambda: self._now)

    def make(
        self, name: str, audience: Audience, files: dict[str, Any] | None = None, **row: Any
    ) -> str:
        """A repository with these readers; its tip."""
        self.forge.make(name, {"files": files or {}, **row})
        self.facts.create(f"lab/{name}")
        self.facts.push(f"lab/{name}", {"refs/heads/main": "1" * 40})
        self.facts.show(f"lab/{name}", audience)
        return self.forge.tips(name)["refs/heads/main"]

    def open_storage(self, *patterns: str) -> None:
        """Let the storage list these repositories; the server begins anew."""
        file = self.forge.root / "host" / "tea-runner.toml"
        line = f"repositories = {json.dumps(patterns)}\n"
        file.write_text(file.read_text().replace('name = "store"\n', f'name = "store"\n{line}'))
        facts = self.forge.site.forge_facts
        self.forge.again()
        vars(self.forge.site)["forge_facts"] = facts

    def branch(self, name: str, branch: str, files: dict[str, Any]) -> None:
        """Push a branch with these files."""
        stream = self.forge._commit(branch, files, {})
        self.forge.git(
            name, "fast-import", "--quiet", "--force", "--date-format=raw-permissive", stdin=stream
        )

    def change(self, name: str, audience: Audience) -> None:
        """Other readers from now on."""
        self.facts.show(f"lab/{name}", audience)
        self._now += 61

    def meet(self, name: str, branch: str = "main") -> Met:
        """See :meth:`HostileForge.meet`."""
        return self.forge.meet(name, branch)
