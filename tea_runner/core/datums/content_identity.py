"""Content identities of files, from annex keys and git blobs.

An identity is (hash algorithm, size in bytes, digest): equal for equal content, whatever the file's
name, depth, lock state or backend extension.  It is never the blob id of a symlink nor an annex key
as text (``SHA256E`` and ``MD5E`` keys include the extension of the file's name).

Formats: git-annex's documentation, "internals/key_format" and "internals/pointer_file".
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from tea_runner.core.fast_tuple import fast_new

#: Blobs below this size in bytes are hashed, so that they compare equal to annexed content.
#: The mirror is fetched with the same ``blob:limit``, so it always has these blobs.
SMALL_BLOB = 32768

#: Algorithm of content of which only the git blob id is known.
GIT = "GIT"

_KEY = re.compile(
    rb"(?P<backend>[A-Z0-9_]+)(?:-[smSC][0-9]+)*-s(?P<size>[0-9]+)(?:-[smSC][0-9]+)*--(?P<name>[^\n\0]+)",
)
_HEX = re.compile(rb"[0-9a-f]+")
#: The two most common kinds of keys, parsed in one step.
_COMMON = re.compile(
    r"SHA256E-s([0-9]+)--([0-9a-f]{64})[A-Za-z0-9._-]*|MD5E-s([0-9]+)--([0-9a-f]{32})[A-Za-z0-9._-]*"
).fullmatch
#: Characters that no valid key contains, and that would split it or change a path.
_UNSAFE = re.compile(r"[\x00-\x20/\x7f]")

#: Backends whose keys contain a digest, with its length in hex digits.
#: (Variants with a trailing E append the file's extension.)
DIGEST_LENGTH = {
    "SHA256": 64,
    "SHA512": 128,
    "SHA384": 96,
    "SHA224": 56,
    "SHA1": 40,
    "MD5": 32,
    "SHA3_256": 64,
    "SHA3_512": 128,
    "SHA3_384": 96,
    "SHA3_224": 56,
    "SKEIN256": 64,
    "SKEIN512": 128,
    "BLAKE2B160": 40,
    "BLAKE2B224": 56,
    "BLAKE2B256": 64,
    "BLAKE2B384": 96,
    "BLAKE2B512": 128,
    "BLAKE2S160": 40,
    "BLAKE2S224": 56,
    "BLAKE2S256": 64,
    "BLAKE2SP224": 56,
    "BLAKE2SP256": 64,
    "BLAKE2BP512": 128,
    "BLAKE3_256": 64,
}

#: The first bytes of a Git LFS pointer file.
LFS = b"version https://git-lfs.github.com/spec/"

#: Algorithms that :mod:`hashlib` provides, with their names there.
HASHLIB = {
    "SHA256": "sha256",
    "SHA512": "sha512",
    "SHA1": "sha1",
    "MD5": "md5",
    "SHA384": "sha384",
    "SHA224": "sha224",
}


class Content(NamedTuple):
    """The identity of a file's content.

    *size* is in bytes; -1 if only git's blob id is known (*algorithm* is then ``GIT``).
    """

    algorithm: str
    size: int
    digest: str

    @property
    def is_forgeable(self) -> bool:
        """Whether other content with the same identity can be constructed (MD5, SHA-1)."""
        return self.algorithm in ("MD5", "SHA1")

    def __str__(self) -> str:
        return f"{self.algorithm.lower()}:{self.digest}"


def placeholder(content: Content) -> Content:
    """The identity of an empty file that stands for this content: a link to it becomes the content."""
    return fast_new(Content, (f"EMPTY-{content.algorithm}", content.size, content.digest))


def pointer_key(mode: int, blob: bytes) -> str | None:
    """The annex key in a symlink or pointer file, or None for plain content.

    :param mode: mode of the tree entry.
    """
    if mode == 0o120000:
        directory, _, key = blob.rpartition(b"/")
        inside = b"/annex/objects/" in b"/" + directory + b"/"
        return key.decode("utf-8", "surrogateescape") if inside and b"-" in key else None
    if blob.startswith(b"/annex/objects/") and len(blob) < SMALL_BLOB:
        key = blob[15:].split(b"\n", 1)[0]
        return key.decode("utf-8", "surrogateescape") if b"-" in key and b"/" not in key else None
    return None


def key_content(key: str) -> Content | None:
    """The content identity in an annex key, or None when the key does not contain a digest."""
    common = _COMMON(key)
    if common is not None:
        size, sha256, md5_size, md5 = common.groups()
        named = ("SHA256", int(size), sha256) if sha256 else ("MD5", int(md5_size), md5)
        return fast_new(Content, named)
    match = _KEY.fullmatch(key.encode("utf-8", "surrogateescape"))
    if match is None or _UNSAFE.search(key):
        return None
    backend = match["backend"].decode("ascii")
    name = match["name"]
    if backend not in DIGEST_LENGTH:
        if not backend.endswith("E") or backend[:-1] not in DIGEST_LENGTH:
            return None
        backend = backend[:-1]
        name = name[: DIGEST_LENGTH[backend]]
    if len(name) != DIGEST_LENGTH[backend] or not _HEX.fullmatch(name):
        return None
    return Content(backend, int(match["size"]), name.decode("ascii"))


def key_size(key: str) -> int | None:
    """The size in bytes in an annex key of any backend, or None."""
    match = _KEY.fullmatch(key.encode("utf-8", "surrogateescape"))
    return int(match["size"]) if match else None


def is_digest_backend(backend: str) -> bool:
    """Whether keys of a backend contain a hash of the content."""
    return backend in DIGEST_LENGTH or backend.removesuffix("E") in DIGEST_LENGTH


def backend_algorithm(backend: str) -> str:
    """The hash algorithm behind a backend's name: ``MD5E`` and ``MD5`` are both ``MD5``."""
    if backend in DIGEST_LENGTH:
        return backend
    return backend[:-1] if backend.endswith("E") and backend[:-1] in DIGEST_LENGTH else "SHA256"


def blob_content(oid: str, data: bytes | None, algorithm: str) -> Content:
    """The identity of a file in git.

    Small blobs are hashed with the algorithm of the dataset's annex backend, so that equal content
    in git and in the annex compares equal; larger ones, which a mirror does not have (*data* is
    None), are identified by their blob id.
    """
    if data is None or len(data) >= SMALL_BLOB or algorithm not in HASHLIB:
        return Content(GIT, -1, oid)
    digest = hashlib.new(HASHLIB[algorithm], data, usedforsecurity=False).hexdigest()
    return Content(algorithm, len(data), digest)
