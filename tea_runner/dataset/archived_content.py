"""Content of annex keys that is in annexed archives, as ``datalad add-archive-content`` records it.

DataLad's own special remote ``datalad-archives`` needs a working tree, starts programs to unpack whole
archives, and keeps what they made; a worker has a bare mirror, and archives of anybody who may push.
The record is a URL of the key on the ``git-annex`` branch (datalad, ``customremotes/archives.py``)::

    dl+archive:KEY-OF-THE-ARCHIVE#path=FILE&size=BYTES
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import parse_qs

from tea_runner.core.datums.content_identity import HASHLIB, key_content
from tea_runner.core.errors import ContentMissing, Refused
from tea_runner.core.git.annex_paths import log_path
from tea_runner.core.git.tree import lookup
from tea_runner.dataset.annex_objects import AnnexObjects
from tea_runner.dataset.archive_members import archive_members
from tea_runner.dataset.git_repository import GitRepository

_SCHEME = "dl+archive:"
_CHUNK = 1 << 20

#: Files with the verified content of keys.
GetContent = Callable[[Iterable[str]], Mapping[str, Path]]


class ArchivePlace(NamedTuple):
    """Where content is: the key of an archive, and a path in it."""

    archive: str
    path: str


class ArchivedContent:
    """Takes content out of the archives of one repository.

    :param annex_ref: the ref that is its ``git-annex`` branch.
    :param scratch: folder for content that is not verified yet.
    """

    def __init__(
        self, repository: GitRepository, annex_ref: str, objects: AnnexObjects, scratch: Path
    ) -> None:
        self._repository = repository
        self._annex_ref = annex_ref
        self._objects = objects
        self._scratch = scratch

    def take(self, keys: Sequence[str], get: GetContent) -> dict[str, str]:
        """Take content out of archives into the annex, verified; returns the errors by key.

        An archive is read once for all keys.  The cost of a key without archive is that of its log.

        :param get: gets archives.
        """
        errors: dict[str, str] = {}
        by_archive: dict[str, dict[str, str]] = {}
        for key, place in self._places(keys):
            content = key_content(key)
            if content is None or content.algorithm not in HASHLIB:
                errors[key] = "its hash cannot be verified here"
                continue
            by_archive.setdefault(place.archive, {})[place.path] = key
        for archive, members in by_archive.items():
            try:
                file = get([archive])[archive]
                errors |= self._unpack(file, members)
            except ContentMissing as error:
                errors |= dict.fromkeys(members.values(), f"its archive: {error.problem}")
            except Refused as error:
                said = f"archive {archive}: {error.problem}"
                errors |= {k: said for k in members.values() if not self._objects.present(k)}
        return errors

    def _places(self, keys: Sequence[str]) -> Iterator[tuple[str, ArchivePlace]]:
        """The first place of each key that is in an archive."""
        objects = self._repository.objects
        tip = self._repository.refs(self._annex_ref).get(self._annex_ref)
        root = objects.commit(tip).tree if tip is not None else None
        if root is None:
            return
        logs = {key: lookup(objects.tree, root, f"{log_path(key)}.web") for key in keys}
        blobs = objects.blobs(entry.oid for entry in logs.values() if entry is not None)
        for key, entry in logs.items():
            data = blobs[entry.oid] if entry is not None else None
            place = next(archive_places(data or b""), None)
            if place is not None:
                yield key, place

    def _unpack(self, archive: Path, members: Mapping[str, str]) -> dict[str, str]:
        found = set()
        errors = {}
        self._scratch.mkdir(parents=True, exist_ok=True)
        for path, opened in archive_members(archive, members):
            found.add(path)
            key = members[path]
            with tempfile.NamedTemporaryFile(dir=self._scratch) as file:
                if _copy(opened, file, key):
                    self._objects.insert(Path(file.name), key)
                else:
                    errors[key] = f"{path} in its archive has another content"
        absent = set(members) - found
        return {**errors, **{members[path]: f"its archive has no file {path}" for path in absent}}


def archive_places(log: bytes) -> Iterator[ArchivePlace]:
    """The places in a log of URLs; lines are ``<seconds>s <0|1> [:]<url>`` (git-annex, "internals")."""
    for line in log.decode("utf-8", "surrogateescape").splitlines():
        _, _, rest = line.partition(" ")
        present, _, url = rest.partition(" ")
        url = url.removeprefix(":")
        if present != "1" or not url.startswith(_SCHEME):
            continue
        name, _, fragment = url.removeprefix(_SCHEME).partition("#")
        path = next(iter(parse_qs(fragment, errors="surrogateescape").get("path", ())), "")
        if not path:
            # The older form: KEY/PATH.
            name, _, path = name.partition("/")
        if name and path and "/" not in name:
            yield ArchivePlace(name, path)


def _copy(opened: IO[bytes], file: IO[bytes], key: str) -> bool:
    """Copy a file; False when it has not the content of the key."""
    content = key_content(key)
    assert content is not None
    digest = hashlib.new(HASHLIB[content.algorithm], usedforsecurity=False)
    left = content.size + 1
    while left > 0:
        data = opened.read(min(_CHUNK, left))
        if not data:
            break
        left -= len(data)
        digest.update(data)
        file.write(data)
    file.flush()
    return left == 1 and digest.hexdigest() == content.digest
