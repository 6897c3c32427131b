"""SQLite tables of known results: key, scope, and the location of the result in a commit."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tea_runner.core.git.branch_kinds import matches_any
from tea_runner.core.results.run_conditions import RowState

#: Part of the stored settings: a change makes all manifests be read again.
_FORMAT = 5
#: Paths are JSON, because their bytes need not be UTF-8.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS known (
    key TEXT, scope TEXT, rank INTEGER, commit_id TEXT, home TEXT, place TEXT, outputs TEXT,
    contents TEXT, sizes TEXT, state TEXT, ran TEXT, signer TEXT,
    PRIMARY KEY (key, scope)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS learnt (scope TEXT, tip TEXT, PRIMARY KEY (scope, tip)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rules (trusted TEXT);
"""
_TABLES = ("known", "learnt", "rules")
#: The first commit with a result counts, because nobody can have edited it; a recomputed result replaces
#: all before it.  Equal ranks are ordered by content, so that the order of reading does not matter.
_INSERT = """
INSERT INTO known VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key, scope) DO UPDATE SET
    rank = excluded.rank, commit_id = excluded.commit_id, home = excluded.home,
    place = excluded.place, outputs = excluded.outputs, contents = excluded.contents,
    sizes = excluded.sizes, state = excluded.state, ran = excluded.ran, signer = excluded.signer
WHERE (excluded.rank, excluded.commit_id, excluded.home, excluded.place)
    > (known.rank, known.commit_id, known.home, known.place)
"""
#: Parameters of one query; SQLite allows 999 by default in old versions.
_CHUNK = 500


class ResultLocation(NamedTuple):
    """Where a result is: directory ``home/place`` of a commit."""

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


class RankedResult(NamedTuple):
    """A result in a manifest; of several for a key, the one with the highest rank counts."""

    key: str
    rank: int
    location: ResultLocation
    contents: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    state: RowState = "done"
    #: Text of the conditions of the run; empty in manifests of old formats.
    ran: str = ""
    #: Name of the manifest's signer.
    signer: str = ""


class StoredResult(NamedTuple):
    """A result in the tables, and the scope that it was stored for."""

    scope: str
    result: RankedResult


class ResultTable:
    """The tables of one repository, in a file that can be deleted and rebuilt at any time.

    The tables are emptied when a branch is not trusted any more, and when other signers count.  One more
    trusted branch leaves them as they are, and so does the end of a branch.

    :param trusted: patterns of trusted branches.
    :param branches: names of all branches.
    :param proofs: a text that differs when other signers count.
    """

    def __init__(
        self,
        path: Path,
        trusted: Sequence[str],
        branches: Iterable[str] = (),
        proofs: str = "",
    ) -> None:
        self.path = path
        self._trusted = tuple(trusted)
        self._branches = tuple(branches)
        self._format = [_FORMAT, proofs]
        self._settings = json.dumps([self._format, *trusted])
        #: Whether the tables were emptied because a branch is not trusted any more.
        self.lost_trust = False
        try:
            self._open(str(path))
        except sqlite3.DatabaseError:
            if os.access(path.parent, os.W_OK):
                # The file is not a database, or damaged.
                self.recreate()
            else:
                # A clone that cannot be written: what is read of its history is kept for this process.
                self._open(":memory:")

    def _open(self, place: str) -> None:
        self._database = sqlite3.connect(place, timeout=30, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        # After a power cut the file may be damaged; then it is rebuilt.
        self._database.execute("PRAGMA synchronous=OFF")
        if self.is_current():
            return
        with self.transaction():
            before = self._stored_patterns()
            self.lost_trust = before is not None and self._any_lost(before)
            if before is not None and not self.lost_trust:
                self._database.execute("DELETE FROM rules")
            else:
                for table in _TABLES:
                    self._database.execute(f"DROP TABLE IF EXISTS {table}")
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._database.execute(statement)
            self._database.execute("INSERT INTO rules VALUES (?)", (self._settings,))

    def is_current(self) -> bool:
        """Whether the tables were made for these trusted branches; another process may change that."""
        with contextlib.suppress(sqlite3.OperationalError):
            rows = self._database.execute("SELECT trusted FROM rules").fetchall()
            return bool(rows == [(self._settings,)])
        return False

    def _stored_patterns(self) -> list[str] | None:
        """The trusted branches that the tables were made for; None when they cannot be used."""
        try:
            ((stored,),) = self._database.execute("SELECT trusted FROM rules").fetchall()
            number, *patterns = json.loads(stored)
        except (sqlite3.OperationalError, ValueError):
            return None
        return patterns if number == self._format else None

    def _any_lost(self, before: Sequence[str]) -> bool:
        """Whether a branch that exists was trusted and is not any more."""
        lost = set(before) - set(self._trusted)
        return any(
            matches_any(name, lost) and not matches_any(name, self._trusted)
            for name in self._branches
        )

    def recreate(self) -> None:
        """Delete the file and make empty tables."""
        self._database.close()
        for end in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)
        self._open(str(self.path))

    def transaction(self) -> contextlib.AbstractContextManager[object]:
        """Commit all changes of the block, or none; other processes wait."""
        self._database.execute("BEGIN IMMEDIATE")
        return self._database

    def tips(self, scope: str) -> set[str]:
        """Tips of branches whose history was read for a scope."""
        rows = self._database.execute("SELECT tip FROM learnt WHERE scope = ?", (scope,))
        return {row[0] for row in rows}

    def set_tips(self, scope: str, tips: Iterable[str]) -> None:
        """Replace the tips of a scope."""
        self._database.execute("DELETE FROM learnt WHERE scope = ?", (scope,))
        self._database.executemany(
            "INSERT OR IGNORE INTO learnt VALUES (?, ?)", [(scope, tip) for tip in tips]
        )

    def insert(self, scope: str, results: Iterable[RankedResult]) -> None:
        """Insert results; for a key that exists the one of higher rank stays."""
        self._database.executemany(
            _INSERT,
            [
                (
                    key,
                    scope,
                    rank,
                    at.commit,
                    json.dumps(at.home),
                    json.dumps(at.place),
                    json.dumps(at.outputs),
                    json.dumps(contents),
                    json.dumps(sizes),
                    state,
                    ran,
                    signer,
                )
                for key, rank, at, contents, sizes, state, ran, signer in results
            ],
        )

    def ranks(self, scope: str, keys: Sequence[str]) -> dict[str, int]:
        """Ranks of those of the keys that the scope has."""
        ranks: dict[str, int] = {}
        for chunk, marks in _chunks(keys):
            rows = self._database.execute(
                f"SELECT key, rank FROM known WHERE scope = ? AND key IN ({marks})",  # noqa: S608
                (scope, *chunk),
            )
            ranks.update(rows.fetchall())
        return ranks

    def results(self, keys: Sequence[str]) -> dict[str, list[StoredResult]]:
        """All results of the keys: trusted ones first, then by scope."""
        found: dict[str, list[StoredResult]] = {}
        for chunk, marks in _chunks(keys):
            rows = self._database.execute(
                f"SELECT * FROM known WHERE key IN ({marks}) ORDER BY key, scope",  # noqa: S608
                chunk,
            )
            for key, scope, rank, commit, home, place, outputs, contents, sizes, *more in rows:
                paths = json.loads(home), json.loads(place), tuple(json.loads(outputs))
                location = ResultLocation(commit, *paths)
                lists = tuple(json.loads(contents)), tuple(json.loads(sizes))
                result = RankedResult(key, rank, location, *lists, *more)
                found.setdefault(key, []).append(StoredResult(scope, result))
        return found

    def counts(self) -> dict[str, Counter[str]]:
        """For each scope the numbers of ``results``, ``commits`` that hold them, and ``tips``."""
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

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _chunks(keys: Sequence[str]) -> Iterator[tuple[Sequence[str], str]]:
    """Chunks of keys, each with as many question marks."""
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        yield chunk, ",".join("?" * len(chunk))
