"""Manifests of all branches and of their history in, a quick answer to "is this key known?" out.

A file in the repository; it can be deleted at any time and is made again from git with the same answers.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from tea_runner.adapters.mirror import Mirror
from tea_runner.core import manifest as manifests
from tea_runner.core.content import key_size, pointer_key
from tea_runner.core.errors import OutsideError
from tea_runner.core.manifest import ManifestError, parse_manifest
from tea_runner.core.results import Output, Result
from tea_runner.core.scope import scope_of
from tea_runner.core.tree import EXECUTABLE, LINK, PLAIN, lookup

_SCHEMA = """
CREATE TABLE IF NOT EXISTS known (
    scope TEXT, key TEXT, commit_id TEXT, home TEXT, place TEXT, outputs TEXT,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS learnt (scope TEXT, tip TEXT, PRIMARY KEY (scope, tip)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rules (trusted TEXT);
"""


class Index:
    """Known results of one repository, by scope and key.

    The trusted scope learns from the branches that the operator trusts, and from nothing else; each
    other scope from its own branch.
    """

    def __init__(
        self,
        mirror: Mirror,
        prefix: str = "refs/remotes/origin/",
        *,
        trusted: Sequence[str] = ("*",),
    ) -> None:
        self._mirror = mirror
        self._trusted = tuple(trusted)
        self._prefix = prefix
        self.path: Path = mirror.git_dir / "tea-index.db"
        self._open()

    def _open(self) -> None:
        self._database = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.executescript(_SCHEMA)
        rules = json.dumps(self._trusted)
        if self._database.execute("SELECT trusted FROM rules").fetchall() != [(rules,)]:
            # Other branches are trusted now: what was learnt under other rules is not known.
            with self._database:
                for table in ("known", "learnt", "rules"):
                    self._database.execute(f"DELETE FROM {table}")  # noqa: S608
                self._database.execute("INSERT INTO rules VALUES (?)", (rules,))

    def update(self, scope: str = "") -> int:
        """Learn of manifests that commits brought since the last call; returns how many."""
        learnt = self._learn_scope("")
        return learnt + self._learn_scope(scope) if scope else learnt

    def _learn_scope(self, scope: str) -> int:
        before = self._database.execute("SELECT tip FROM learnt WHERE scope IN ('', ?)", (scope,))
        seen = {row[0] for row in before}
        tips = {
            oid
            for ref, oid in self._mirror.refs(self._prefix).items()
            if not ref.endswith("/git-annex")
            and "/synced/" not in ref
            and scope_of(ref[len(self._prefix) :], self._trusted) == scope
        }
        fresh = tips - seen
        if not fresh:
            return 0
        lines = [*sorted(fresh), *(f"^{tip}" for tip in sorted(seen & self._present(seen)))]
        out = self._mirror.git(
            "log", "--stdin", "--format=C%H", "--raw", "--no-abbrev", "--no-renames", "-z",
            "--diff-merges=first-parent", "--root", "--diff-filter=AM",
            stdin="\n".join([*lines, "--", f":(glob)**/{manifests.NAME}"]).encode(),
            env=self._mirror.environment.with_(GIT_LITERAL_PATHSPECS="0"),
            why="reading manifests",
        )  # fmt: skip
        rows = _raw_rows(out)
        self._mirror.objects.bring(blob for _, blob, _ in rows)
        count = 0
        with self._database:
            for commit, blob, path in rows:
                count += self._learn(scope, commit, blob, path)
            self._database.executemany(
                "INSERT OR IGNORE INTO learnt VALUES (?, ?)", [(scope, tip) for tip in fresh]
            )
        return count

    def _present(self, oids: set[str]) -> set[str]:
        found = self._mirror.objects.read_many(oids)
        return {oid for oid, value in found.items() if value is not None}

    def _learn(self, scope: str, commit: str, blob: str, path: str) -> int:
        try:
            manifest = parse_manifest(self._mirror.objects.blob(blob) or b"")
        except ManifestError:
            return 0
        home = path.rpartition("/")[0]
        self._database.executemany(
            "INSERT OR IGNORE INTO known VALUES (?, ?, ?, ?, ?, ?)",
            [
                (scope, row.key, commit, home, row.place, json.dumps(row.outputs))
                for row in manifest.rows
            ],
        )
        return 1

    def known(self, keys: Sequence[str], scope: str = "") -> dict[str, str]:
        """Which of these keys have a result, with the commit that holds it; trusted ones first."""
        found: dict[str, str] = {}
        for start in range(0, len(keys), 500):
            chunk = keys[start : start + 500]
            marks = ",".join("?" * len(chunk))
            rows = self._database.execute(
                f"SELECT key, commit_id FROM known WHERE key IN ({marks})"  # noqa: S608
                " AND scope IN ('', ?) ORDER BY scope DESC",
                (*chunk, scope),
            )
            found.update(rows.fetchall())
        return found

    def result(self, key: str, scope: str = "") -> Result | None:
        """The result itself, read from the commit that holds it; None when it is not whole."""
        row = self._database.execute(
            "SELECT commit_id, home, place, outputs FROM known"
            " WHERE key = ? AND scope IN ('', ?) ORDER BY scope",
            (key, scope),
        ).fetchone()
        if row is None:
            return None
        commit, home, place, outputs = row
        try:
            root = self._mirror.objects.commit(commit).tree
            parts = [part for part in (home, place) if part]
            found = [
                self._output(root, "/".join([*parts, path]), path) for path in json.loads(outputs)
            ]
        except OutsideError:
            return None
        whole = [output for output in found if output is not None]
        return Result(key=key, outputs=tuple(whole)) if len(whole) == len(found) else None

    def _output(self, root: str, full: str, path: str) -> Output | None:
        objects = self._mirror.objects
        entry = lookup(objects.tree, root, full)
        if entry is None or entry.mode not in (LINK, PLAIN, EXECUTABLE):
            return None
        data = objects.blob(entry.oid)
        key = pointer_key(entry.mode, data) if data is not None else None
        if key is not None:
            return Output(path, "annex", key, key_size(key) or 0)
        if entry.mode == LINK:
            return Output(path, "link", entry.oid, len(data or b""))
        return Output(path, "git", entry.oid, len(data or b""), entry.mode == EXECUTABLE)

    def rebuild(self) -> int:
        """Forget everything and learn it again from git."""
        with self._database:
            self._database.execute("DELETE FROM known")
            self._database.execute("DELETE FROM learnt")
        return self.update()

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _raw_rows(out: bytes) -> list[tuple[str, str, str]]:
    """(commit, blob, path) of ``git log --raw -z --format=C%H``."""
    rows = []
    commit = ""
    fields = iter(out.split(b"\0"))
    for field in fields:
        text = field.lstrip(b"\n")
        if text.startswith(b"C"):
            commit = text[1:].decode()
        elif text.startswith(b":"):
            path = next(fields, b"").decode("utf-8", "surrogateescape")
            rows.append((commit, text.split(b" ")[3].decode(), path))
    return rows
