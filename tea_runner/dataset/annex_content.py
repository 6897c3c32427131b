"""Content of annex keys: get it from storages, make keys for new files, and send them to a storage."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from tea_runner.core.errors import ContentMissing, OutsideError, UserError
from tea_runner.dataset.annex_objects import AnnexObjects
from tea_runner.dataset.annex_program import AnnexProgram, error_text, transfer_timeout
from tea_runner.dataset.archived_content import ArchivedContent
from tea_runner.dataset.content_storage import ContentStorage

#: Archives in one another.
_DEEPEST = 3


class Annex:
    """The annex of one repository."""

    def __init__(
        self,
        program: AnnexProgram,
        objects: AnnexObjects,
        storage: ContentStorage,
        own_keys: Callable[[Sequence[str]], Collection[str]] = lambda keys: keys,
        archives: ArchivedContent | None = None,
    ) -> None:
        """Make it.

        :param own_keys: those of the keys whose content the repository has or had; no others are
            fetched, because a storage may hold the content of other repositories as well.
        :param archives: takes content out of annexed archives.
        """
        self._archives = archives
        #: How many archives are open in one another.
        self._depth = 0
        self._program = program
        self._objects = objects
        self.storage = storage
        self._own_keys = own_keys
        #: Bytes of content that was fetched so far.
        self.fetched_bytes = 0

    def get(self, keys: Iterable[str]) -> dict[str, Path]:
        """Files with the verified content of these keys, fetched from storages where necessary.

        :raises ContentMissing: with the keys that no storage has.
        :raises OutsideError: when a storage that should have some of them does not answer.
        """
        files: dict[str, Path] = {}
        absent = []
        for key in dict.fromkeys(keys):
            file = self._objects.verified(key)
            if file is None:
                absent.append(key)
            else:
                files[key] = file
        if absent:
            errors = self._fetch(absent)
            if self._archives is not None:
                self._take(absent, errors, self._archives)
            new = {key: file for key in absent if (file := self._objects.fetched(key))}
            files.update(new)
            self.fetched_bytes += sum(file.stat().st_size for file in new.values())
            missing = tuple(key for key in absent if key not in files)
            if missing:
                if problem := self.storage.outage(missing):
                    raise OutsideError(problem, hint="they are fetched when it answers again")
                raise self._content_missing(missing, len(files) + len(missing), errors)
        return files

    def _fetch(self, keys: Sequence[str]) -> dict[str, str]:
        """Fetch content of keys that the repository has or had; returns the errors by key."""
        own = set(self._own_keys(keys))
        errors = dict.fromkeys(
            (key for key in keys if key not in own),
            "the git-annex branch of this repository has no log of it; push that branch",
        )
        for answer in self._program.ask_json([key for key in keys if key in own], "get"):
            if not answer.get("success"):
                errors[str(answer.get("key"))] = error_text(answer)
        return errors

    def _take(self, keys: Sequence[str], errors: dict[str, str], archives: ArchivedContent) -> None:
        """Take content that no storage has out of archives, which are fetched like anything else."""
        wanted = [key for key in keys if key in errors]
        if not wanted or self._depth >= _DEEPEST:
            return
        own = set(self._own_keys(wanted))
        self._depth += 1
        try:
            errors.update(archives.take([key for key in wanted if key in own], self.get))
        finally:
            self._depth -= 1

    def _content_missing(
        self, missing: tuple[str, ...], wanted: int, errors: dict[str, str]
    ) -> ContentMissing:
        said = (" ".join(errors.get(key, "").split()) for key in missing)
        reasons = "; ".join(filter(None, dict.fromkeys(said)))
        searched = ", ".join(self.storage.names) or "no storage"
        return ContentMissing(
            f"{len(missing)} of {wanted} files have no content in {searched}, "
            f"for example key {missing[0]}{': ' + reasons if reasons else ''}",
            missing,
            storages=tuple(self.storage.names),
            reasons=reasons,
        )

    def key_of(self, path: Path, backend: str) -> str:
        """The key that git-annex calculates for a file (git-annex-calckey(1)).

        :raises OutsideError: when it calculates none.
        """
        name = os.fsencode(path)
        option = f"--backend={backend}"
        if b"\n" in name:
            # The batch protocol has one file name per line.
            return self._program.run("calckey", option, os.fsdecode(name)).decode().strip()
        timeout = transfer_timeout(path.stat().st_size)
        key = self._program.ask(name, "calckey", option, "--batch", timeout=timeout)
        if not key:
            raise OutsideError(f"git-annex could not make a key for {path.name}")
        return key.decode("utf-8", "surrogateescape")

    def insert(self, path: Path, key: str) -> None:
        """Store a copy of a file in this repository as the content of a key."""
        self._objects.insert(path, key)

    def require_writable(self) -> None:
        """Look whether the storage takes results now.

        :raises Refused: when it never does.
        :raises OutsideError: when it does not now.
        """
        self.storage.require_writable()

    def send(self, keys: Sequence[str]) -> None:
        """Copy the keys' content to the storage, and verify that it is there.

        Without keys no storage is necessary.

        :raises OutsideError: when some of it is not there afterwards.
        """
        if keys:
            self.storage.send(list(dict.fromkeys(keys)))

    def matches(self, expression: str, path: str, size: int, encoding: str) -> bool:
        """Whether a file matches ``annex.largefiles`` (git-annex-matchexpression(1)).

        :raises UserError: when git-annex cannot evaluate the expression.
        """
        code, message = self._program.exit_code(
            "matchexpression",
            "--largefiles",
            f"--file={path}",
            f"--size={size}",
            f"--mimeencoding={encoding}",
            f"--mimetype={'application/octet-stream' if encoding == 'binary' else 'text/plain'}",
            "--",
            expression,
        )
        if code in (0, 1):
            return code == 0
        raise UserError(
            f"annex.largefiles={expression} cannot be evaluated for {path}: {message}",
            hint="correct it in .gitattributes",
        )

    def close(self) -> None:
        """End the processes behind it."""
        self._program.close()
