"""Manifests of all branches and of their history in, a quick answer to "is this key known?" out.

A file in the repository; it can be deleted at any time and is made again from git with the same answers:
of several commits that know a key, which one counts does not depend on the order of learning.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tea_runner.core.datums.content_identity import key_size, pointer_key
from tea_runner.core.errors import OutsideError
from tea_runner.core.git.scope import scope_of
from tea_runner.core.git.tree import EXECUTABLE, LINK, PLAIN, lookup
from tea_runner.core.results.manifest import RECOMPUTED, Row
from tea_runner.core.results.manifest_text import (
    DIRECTORY,
    NAME,
    Head,
    ManifestError,
    parse_head,
    parse_piece,
    piece_number,
)
from tea_runner.core.results.result import Result, ResultFile
from tea_runner.dataset.mirror import Mirror

#: Changes when the same manifests would be learnt in another way.
_FORMAT = 3
_SCHEMA = """
CREATE TABLE IF NOT EXISTS known (
    scope TEXT, key TEXT, rank INTEGER, commit_id TEXT, home TEXT, place TEXT, outputs TEXT,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS learnt (scope TEXT, tip TEXT, PRIMARY KEY (scope, tip)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rules (trusted TEXT);
"""
#: Files of manifests.
_NAMES = (NAME, f"{DIRECTORY}/**/*.tsv")
_TABLES = ("known", "learnt", "rules")
#: The first commit that has a result counts, because nobody can have edited it; a recomputed result
#: replaces all before it.  Equal ranks are told apart by what they are, never by who came first.
_LEARN = """
INSERT INTO known VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (scope, key) DO UPDATE SET
    rank = excluded.rank, commit_id = excluded.commit_id, home = excluded.home,
    place = excluded.place, outputs = excluded.outputs
WHERE (excluded.rank, excluded.commit_id, excluded.home, excluded.place)
    > (known.rank, known.commit_id, known.home, known.place)
"""
#: Where a mirror keeps tips that were pushed away: what ran to its end stays known.
KEPT = "refs/kept/"


class IndexedResult(NamedTuple):
    """Where a result stands: ``home/place`` of a commit."""

    commit: str
    home: str
    place: str
    outputs: tuple[str, ...]

    @property
    def directory(self) -> str:
        """The directory of the outputs in the dataset."""
        return "/".join(part for part in (self.home, self.place) if part)

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the outputs in the dataset."""
        before = f"{self.directory}/" if self.directory else ""
        return tuple(before + path for path in self.outputs)


class ResultIndex:
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
        keep: bool = False,
    ) -> None:
        """The index of a repository.

        :param keep: whether tips that were pushed away are kept, as in a mirror, which is ours.
        """
        self._mirror = mirror
        self._trusted = tuple(trusted)
        self._prefix = prefix
        self._keep = keep
        self.path: Path = mirror.git_dir / "tea-index.db"
        try:
            self._open()
        except sqlite3.DatabaseError:
            # No database, or a damaged one: git knows it all.
            self._remove()
            self._open()

    def _open(self) -> None:
        self._database = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        rules = json.dumps([_FORMAT, *self._trusted])
        with contextlib.suppress(sqlite3.OperationalError):
            if self._database.execute("SELECT trusted FROM rules").fetchall() == [(rules,)]:
                return
        # It is new, or other branches are trusted now: nothing is known yet.
        with self._database:
            for table in _TABLES:
                self._database.execute(f"DROP TABLE IF EXISTS {table}")
        self._database.executescript(_SCHEMA)
        with self._database:
            self._database.execute("INSERT INTO rules VALUES (?)", (rules,))

    def _remove(self) -> None:
        self._database.close()
        for end in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def update(self, scope: str = "") -> int:
        """Learn of manifests that commits brought since the last call; returns how many."""
        tips = self._tips()
        return sum(
            self._learn_scope(one, tips.get(one, set())) for one in dict.fromkeys(("", scope))
        )

    def learn(self) -> int:
        """As :meth:`update`, for all branches: what stands there now is known from now on."""
        tips = self._tips()
        return sum(self._learn_scope(scope, tips.get(scope, set())) for scope in self.scopes)

    @property
    def scopes(self) -> list[str]:
        """The scopes that the branches have; the trusted one first."""
        return sorted({"", *self._tips()})

    def _tips(self) -> dict[str, set[str]]:
        """The tips of the branches of each scope."""
        found: dict[str, set[str]] = {}
        for ref, oid in self._mirror.refs(self._prefix).items():
            if not ref.endswith("/git-annex") and "/synced/" not in ref:
                scope = scope_of(ref[len(self._prefix) :], self._trusted)
                found.setdefault(scope, set()).add(oid)
        return found

    def _kept(self, scope: str) -> str:
        return f"{KEPT}{scope or 'trusted'}/"

    def _learn_scope(self, scope: str, tips: set[str]) -> int:
        seen = self._learnt(scope)
        if tips <= seen and len(seen) == len(tips):
            return 0
        kept = set(self._mirror.refs(self._kept(scope)).values()) if self._keep else set()
        gone = seen - tips - kept
        if gone:
            kept |= self._keep_gone(scope, gone, tips | kept)
        below = seen if not scope else seen | self._learnt("")
        fresh = (tips | kept) - below
        rows = self._manifests(fresh, below) if fresh else []
        with self._database:
            heads: dict[str, Head] = {}
            count = sum(self._learn(scope, *row, heads) for row in rows)
            self._database.execute("DELETE FROM learnt WHERE scope = ?", (scope,))
            self._database.executemany(
                "INSERT OR IGNORE INTO learnt VALUES (?, ?)", [(scope, tip) for tip in tips | kept]
            )
        return count

    def _learnt(self, scope: str) -> set[str]:
        rows = self._database.execute("SELECT tip FROM learnt WHERE scope = ?", (scope,))
        return {row[0] for row in rows}

    def _keep_gone(self, scope: str, gone: set[str], tips: set[str]) -> set[str]:
        """Keep those former tips that no branch leads to any more; returns them."""
        lost = {
            tip
            for tip in self._present(gone)
            if self._mirror.git(
                "rev-list",
                "-n1",
                "--stdin",
                stdin="".join(f"{line}\n" for line in (tip, *(f"^{one}" for one in tips))).encode(),
            )
        }
        if not self._keep or not lost:
            return set()
        self._mirror.update([f"update {self._kept(scope)}{tip} {tip}" for tip in sorted(lost)])
        return lost

    def _manifests(self, fresh: set[str], below: set[str]) -> list[tuple[str, int, str, str]]:
        """Commit, its time, blob and path of each file of a manifest that these commits brought."""
        lines = [*sorted(fresh), *(f"^{tip}" for tip in sorted(self._present(below)))]
        out = self._mirror.git(
            "log",
            "--stdin",
            "--reverse",
            "--format=C%H %ct",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "-z",
            "--diff-merges=first-parent",
            "--root",
            "--diff-filter=AM",
            stdin="\n".join([*lines, "--", *(f":(glob)**/{name}" for name in _NAMES)]).encode(),
            env=self._mirror.environment.with_(GIT_LITERAL_PATHSPECS="0"),
            why="reading manifests",
        )
        rows = _raw_rows(out)
        self._mirror.objects.fetch_blobs(blob for _, _, blob, _ in rows)
        return rows

    def _present(self, oids: set[str]) -> set[str]:
        found = self._mirror.objects.read_many(oids)
        return {oid for oid, value in found.items() if value is not None}

    def _learn(
        self, scope: str, commit: str, seconds: int, blob: str, path: str, heads: dict[str, Head]
    ) -> int:
        """Learn a file of a manifest; how many manifests that is.

        :param heads: manifests' heads by their blobs, as far as they were read: a large manifest has
            many files.
        """
        home, file = _place(path)
        try:
            head, found = self._rows(commit, blob, home, file, heads)
        except (ManifestError, OutsideError):
            return 0
        again = set(head.parts.get(RECOMPUTED, "").split(" "))
        ranks = self._ranks(scope, [row.key for row in found])
        rows = []
        for row in found:
            rank = seconds if row.key in again else -seconds
            if row.key not in ranks or rank >= ranks[row.key]:
                known = IndexedResult(commit, home, row.place, row.outputs)
                if self._whole(known):
                    rows.append(
                        (scope, row.key, rank, commit, home, row.place, json.dumps(row.outputs))
                    )
        self._database.executemany(_LEARN, rows)
        return int(file == NAME)

    def _rows(
        self, commit: str, blob: str, home: str, file: str, heads: dict[str, Head]
    ) -> tuple[Head, Sequence[Row]]:
        """What a file of a manifest says, and what the head of that manifest does.

        :raises ManifestError: when either cannot be read.
        """
        objects = self._mirror.objects
        data = objects.blob(blob) or b""
        if file == NAME:
            head = parse_head(data)
            return head, head.rows
        entry = lookup(
            objects.tree, objects.commit(commit).tree, "/".join(filter(None, (home, NAME)))
        )
        oid = entry.oid if entry else ""
        head = heads.get(oid) or parse_head((objects.blob(oid) if entry else None) or b"")
        heads[oid] = head
        number = piece_number(file, head.pieces)
        if number is None or head.pieces == 1:
            return head, ()
        return head, parse_piece(data, number, head.pieces).rows

    def _ranks(self, scope: str, keys: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(keys), 500):
            chunk = keys[start : start + 500]
            marks = ",".join("?" * len(chunk))
            rows = self._database.execute(
                f"SELECT key, rank FROM known WHERE scope = ? AND key IN ({marks})",  # noqa: S608
                (scope, *chunk),
            )
            found.update(rows.fetchall())
        return found

    def _whole(self, known: IndexedResult) -> bool:
        """Whether all files that a manifest names stand in its own commit."""
        try:
            root = self._mirror.objects.commit(known.commit).tree
            for path in known.paths:
                entry = lookup(self._mirror.objects.tree, root, path)
                if entry is None or entry.mode not in (LINK, PLAIN, EXECUTABLE):
                    return False
        except OutsideError:
            return False
        return True

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

    def counts(self) -> dict[str, Counter[str]]:
        """For each scope how many results are known, in how many commits, from how many tips."""
        counts: dict[str, Counter[str]] = {}
        rows = self._database.execute(
            "SELECT scope, count(*), count(DISTINCT commit_id) FROM known GROUP BY scope"
        )
        for scope, results, commits in rows:
            counts[scope] = Counter(results=results, commits=commits)
        for scope, tips in self._database.execute(
            "SELECT scope, count(*) FROM learnt GROUP BY scope"
        ):
            counts.setdefault(scope, Counter())["tips"] = tips
        return counts

    def place(self, key: str, scope: str = "") -> IndexedResult | None:
        """Where the result of a key stands."""
        row = self._database.execute(
            "SELECT commit_id, home, place, outputs FROM known"
            " WHERE key = ? AND scope IN ('', ?) ORDER BY scope",
            (key, scope),
        ).fetchone()
        return IndexedResult(row[0], row[1], row[2], tuple(json.loads(row[3]))) if row else None

    def result(self, key: str, scope: str = "") -> Result | None:
        """The result itself, read from the commit that holds it; None when it is not whole."""
        place = self.place(key, scope)
        if place is None:
            return None
        try:
            root = self._mirror.objects.commit(place.commit).tree
            found = [
                self._output(root, full, path)
                for full, path in zip(place.paths, place.outputs, strict=True)
            ]
        except OutsideError:
            return None
        whole = [output for output in found if output is not None]
        return Result(key=key, outputs=tuple(whole)) if len(whole) == len(found) else None

    def _output(self, root: str, full: str, path: str) -> ResultFile | None:
        objects = self._mirror.objects
        entry = lookup(objects.tree, root, full)
        if entry is None or entry.mode not in (LINK, PLAIN, EXECUTABLE):
            return None
        data = objects.blob(entry.oid)
        key = pointer_key(entry.mode, data) if data is not None else None
        if key is not None:
            return ResultFile(path, "annex", key, key_size(key) or 0)
        if entry.mode == LINK:
            return ResultFile(path, "link", entry.oid, len(data or b""))
        return ResultFile(path, "git", entry.oid, len(data or b""), entry.mode == EXECUTABLE)

    def rebuild(self) -> int:
        """Delete the file and learn everything again from git; returns how many manifests."""
        self._remove()
        self._open()
        return self.learn()

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _place(path: str) -> tuple[str, str]:
    """The home of a file of a manifest, and which one it is: ``manifest.tsv``, or a piece's name."""
    home, slash, name = f"/{path}".rpartition(f"/{DIRECTORY}/")
    if slash and not path.endswith(f"/{NAME}"):
        return home[1:], name
    home, _, name = path.rpartition("/")
    return home, name


def _raw_rows(out: bytes) -> list[tuple[str, int, str, str]]:
    """(commit, seconds, blob, path) of ``git log --raw -z --format='C%H %ct'``."""
    rows = []
    commit, seconds = "", "0"
    fields = iter(out.split(b"\0"))
    for field in fields:
        text = field.lstrip(b"\n")
        if text.startswith(b"C"):
            commit, _, seconds = text[1:].decode().partition(" ")
        elif text.startswith(b":"):
            path = next(fields, b"").decode("utf-8", "surrogateescape")
            rows.append((commit, int(seconds), text.split(b" ")[3].decode(), path))
    return rows
