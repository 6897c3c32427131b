"""Manifests in the history of branches: which files new commits brought, and what they say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from tea_runner.core.errors import Refused
from tea_runner.core.git.tree import FILES, lookup
from tea_runner.core.results import manifest_statement
from tea_runner.core.results.manifest import Row
from tea_runner.core.results.manifest_text import (
    DIRECTORY,
    NAME,
    Head,
    ManifestError,
    parse_head,
    parse_piece,
    piece_names,
    piece_number,
)
from tea_runner.dataset.git_repository import GitRepository

#: Glob patterns, below any folder, of the files of a manifest.
_PATTERNS = (NAME, f"{DIRECTORY}/**/*.tsv", f"{manifest_statement.DIRECTORY}/*.sig")


class ManifestFile(NamedTuple):
    """A version of a file of a manifest, and the commit that brought it."""

    commit: str
    #: Committer's time, seconds since 1970.
    seconds: int
    blob: str
    path: str

    @property
    def home(self) -> str:
        """The folder of the pipeline that the manifest belongs to."""
        return self._split[0]

    @property
    def name(self) -> str:
        """``manifest.tsv`` or a piece's name."""
        return self._split[1]

    @property
    def is_head(self) -> bool:
        """Whether it is the manifest's first file."""
        return self.name == NAME

    @property
    def is_signature(self) -> bool:
        """Whether it is a signature of the manifest."""
        return self.name.endswith(".sig")

    @property
    def _split(self) -> tuple[str, str]:
        if self.path.endswith(".sig"):
            directory, _, name = f"/{self.path}".rpartition("/")
            return directory[1:].removesuffix(manifest_statement.DIRECTORY).rstrip("/"), name
        home, slash, name = f"/{self.path}".rpartition(f"/{DIRECTORY}/")
        if slash and not self.path.endswith(f"/{NAME}"):
            return home[1:], name
        home, _, name = self.path.rpartition("/")
        return home, name


def manifest_files(
    repository: GitRepository, new: Collection[str], old: Collection[str]
) -> list[ManifestFile]:
    """Files of manifests that were added or changed by commits reachable from *new* but not from *old*.

    In topological order, oldest first, by comparison with the first parent.  Links and subdatasets of
    such names are left out, as they are when the manifest at a tip is read.  Blobs that the mirror does
    not have are fetched.
    """
    revisions = [*sorted(new), *(f"^{tip}" for tip in sorted(old))]
    out = repository.git(
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
        "--diff-filter=AMT",
        stdin="\n".join([*revisions, "--", *(f":(glob)**/{each}" for each in _PATTERNS)]).encode(),
        # Our environment makes pathspecs literal; these two are patterns.
        env=repository.environment.with_(GIT_LITERAL_PATHSPECS="0"),
        why="reading manifests",
    )
    files = _parse_log(out)
    repository.objects.fetch_blobs(file.blob for file in files)
    return files


def _parse_log(out: bytes) -> list[ManifestFile]:
    """Parse ``git log --raw -z --format='C%H %ct'`` (git-diff(1), "Raw output format")."""
    files = []
    commit, seconds = "", "0"
    fields = iter(out.split(b"\0"))
    for field in fields:
        text = field.lstrip(b"\n")
        if text.startswith(b"C"):
            commit, _, seconds = text[1:].decode().partition(" ")
        elif text.startswith(b":"):
            path = next(fields, b"").decode("utf-8", "surrogateescape")
            _, mode, _, blob, _ = text.split(b" ")
            if int(mode, 8) in FILES:
                files.append(ManifestFile(commit, int(seconds), blob.decode(), path))
    return files


class ManifestReader:
    """Reads files of manifests; parsed heads are kept, because a large manifest has many files."""

    def __init__(self, repository: GitRepository) -> None:
        self._repository = repository
        #: By object id of the blob.
        self._heads: dict[str, Head] = {}

    def signed_later(self, file: ManifestFile) -> list[ManifestFile]:
        """The files of a manifest that a commit has signed without changing it.

        :param file: the signature.
        :raises ManifestError: when the manifest cannot be parsed.
        :raises OutsideError: when the repository is incomplete.
        """
        objects = self._repository.objects
        root = objects.commit(file.commit).tree
        prefix = file.home + "/" if file.home else ""
        head = lookup(objects.tree, root, prefix + NAME)
        if head is None:
            return []
        objects.fetch_blobs([head.oid])
        parsed = parse_head(objects.blob(head.oid) or b"")
        paths = [NAME]
        if parsed.pieces > 1:
            paths += [f"{DIRECTORY}/{name}" for name in piece_names(parsed.pieces)]
        entries = {prefix + path: lookup(objects.tree, root, prefix + path) for path in paths}
        found = {path: each.oid for path, each in entries.items() if each and each.mode in FILES}
        objects.fetch_blobs(found.values())
        return [ManifestFile(file.commit, file.seconds, oid, path) for path, oid in found.items()]

    def read(self, file: ManifestFile) -> tuple[Head, Sequence[Row]]:
        """The head of the manifest, and the rows of one of its files.

        :raises ManifestError: when either cannot be parsed.
        :raises OutsideError: when the repository is incomplete.
        """
        objects = self._repository.objects
        data = objects.blob(file.blob) or b""
        if file.is_head:
            head = parse_head(data)
            return head, head.rows
        path = "/".join(filter(None, (file.home, NAME)))
        try:
            entry = lookup(objects.tree, objects.commit(file.commit).tree, path)
        except Refused as error:
            raise ManifestError(error.problem) from error
        oid = entry.oid if entry else ""
        head = self._heads.get(oid) or parse_head((objects.blob(oid) if entry else None) or b"")
        self._heads[oid] = head
        number = piece_number(file.name, head.pieces)
        if number is None or head.pieces == 1:
            return head, ()
        return head, parse_piece(data, number, head.pieces).rows
