"""What a signature of a manifest covers: a statement that names the manifest by its object ids.

The statement and its SSH signature are in ``manifest.sig/NAME.sig`` below the pipeline's home.  NAME is
made from the ids, so that two branches that change one manifest never change the same file.  Git's
object ids of ``manifest.tsv`` and ``manifest.d`` stand for all rows, so that one signature is made and
checked however many rows there are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote

from tea_runner.core.git.tree import FILES, TREE, TreeEntry
from tea_runner.core.results import manifest_text

#: Directory of the signatures, below the home.
DIRECTORY = "manifest.sig"
#: Namespace of the signatures (ssh-keygen(1), ``-n``).
NAMESPACE = "tea-results"
_FIRST = "tea-runner results 1"
_ARMOUR = b"-----BEGIN SSH SIGNATURE-----\n"
_OID = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SAFE = "/-_.~+@,=:"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A manifest, where it belongs, and what its rows were computed from."""

    #: ``owner/name``; empty in a clone.
    repository: str
    #: The pipeline's home.
    home: str
    #: Object id of ``manifest.tsv``.
    manifest: str
    #: Object id of the tree ``manifest.d``; empty without one.
    pieces: str = ""
    #: The commit whose inputs the rows describe.
    inputs_at: str = ""
    #: Keys whose results were recomputed with other bytes; they replace earlier ones.
    recomputed: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Path of the signature below the home."""
        return signature_path(self.manifest, self.pieces)


def signature_path(manifest: str, pieces: str) -> str:
    """Path below the home of the signature of a manifest.

    :param manifest: object id of ``manifest.tsv``.
    :param pieces: object id of ``manifest.d``, or the empty text.
    """
    digest = hashlib.sha256(f"{manifest} {pieces}".encode()).hexdigest()
    return f"{DIRECTORY}/{digest[:32]}.sig"


def format_statement(statement: Statement) -> bytes:
    """The signed text, a function of the statement only."""
    lines = [
        _FIRST,
        f"repository {_quote(statement.repository)}",
        f"home {_quote(statement.home)}",
        f"manifest {statement.manifest}",
        f"pieces {statement.pieces}",
        f"inputs-at {statement.inputs_at}",
        f"recomputed {' '.join(statement.recomputed)}",
    ]
    return "\n".join(lines).encode("ascii") + b"\n"


def parse_statement(data: bytes) -> Statement | None:
    """The statement in a signed text; None where it is malformed or of a newer format."""
    if not data.startswith(_FIRST.encode() + b"\n"):
        return None
    names = ("repository", "home", "manifest", "pieces", "inputs-at", "recomputed")
    try:
        # Anybody can write such a file, also one of many lines.
        _, *lines = data.decode("ascii").removesuffix("\n").split("\n", len(names) + 1)
    except UnicodeDecodeError:
        return None
    if tuple(line.partition(" ")[0] for line in lines) != names:
        return None
    repository, home, manifest, pieces, inputs_at, recomputed = (
        line.partition(" ")[2] for line in lines
    )
    if not _OID.fullmatch(manifest) or (pieces and not _OID.fullmatch(pieces)):
        return None
    return Statement(
        repository=_unquote(repository),
        home=_unquote(home),
        manifest=manifest,
        pieces=pieces,
        inputs_at=inputs_at if _OID.fullmatch(inputs_at) else "",
        recomputed=tuple(recomputed.split()),
    )


def join_signature(statement: bytes, signature: bytes) -> bytes:
    """The file with a statement and its signature; without a signature, the statement alone."""
    return statement + signature


def split_signature(data: bytes) -> tuple[bytes, bytes]:
    """The signed text and the signature (empty where there is none) of such a file."""
    statement, armour, rest = data.partition(_ARMOUR)
    return statement, armour + rest


class SignatureFile(NamedTuple):
    """The place of the signature of a manifest in a tree."""

    home: str
    #: Object ids of ``manifest.tsv``, of ``manifest.d`` (or the empty text), and of the signature.
    manifest: str
    pieces: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class FoundStatement:
    """A statement about the manifest in a tree, with what proves it."""

    statement: Statement
    text: bytes
    signature: bytes


def signature_file(entry: Callable[[str], TreeEntry | None], home: str) -> SignatureFile | None:
    """The signature of the manifest at a home; None where there is none.

    :param entry: returns the entry at a path of the dataset.
    """
    prefix = home + "/" if home else ""
    head = entry(prefix + manifest_text.NAME)
    if head is None or head.mode not in FILES:
        return None
    pieces = entry(prefix + manifest_text.DIRECTORY)
    names = (head.oid, pieces.oid if pieces is not None and pieces.mode == TREE else "")
    file = entry(prefix + signature_path(*names))
    if file is None or file.mode not in FILES:
        return None
    return SignatureFile(home, *names, file.oid)


def read_signature(file: SignatureFile, data: bytes) -> FoundStatement | None:
    """The statement in such a file; None where it is malformed or about another manifest.

    Nothing is verified here.
    """
    text, signature = split_signature(data)
    statement = parse_statement(text)
    if statement is None:
        return None
    if (statement.home, statement.manifest, statement.pieces) != file[:3]:
        return None
    return FoundStatement(statement=statement, text=text, signature=signature)


def _quote(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe=_SAFE)


def _unquote(text: str) -> str:
    return unquote(text, encoding="utf-8", errors="surrogateescape")
