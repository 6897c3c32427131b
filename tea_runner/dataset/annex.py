"""Annex keys in, files with their content out; new files in, keys that a storage holds out.

The only file that calls git-annex.  It works in a repository that is private to tea-runner
(``annex.private``: no location log of ours ever leaves it) in which nothing is enabled but the
special remotes that the operator lists.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from tea_runner.core.datums.content_identity import key_size
from tea_runner.core.errors import CommandError, ContentMissing, OutsideError, Refused, UserError
from tea_runner.core.git.annex_paths import file_name, lower_directory, mixed_directory
from tea_runner.dataset.checksum_verifier import ChecksumVerifier, deadline, quarantine
from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.special_remotes import BUILT_IN, BY_NAME, Storage, parse_remote_log
from tea_runner.host import process


class Annex:
    """git-annex in one repository."""

    def __init__(
        self,
        git_dir: Path,
        environment: GitEnvironment,
        storages: Sequence[Storage],
        *,
        own: bool = True,
    ) -> None:
        self.git_dir = git_dir
        self.storages = tuple(storages)
        #: Whether the repository is ours (a bare mirror), or a person's clone that we only borrow.
        self.own = own
        extra: dict[str, str] = {}
        for storage in storages:
            extra.update(storage.env)
        # git-annex runs git itself in the bare repository, by its path.
        self._env = environment.with_(
            GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0="safe.bareRepository",
            GIT_CONFIG_VALUE_0="all",
            **extra,
        )
        self._environment = environment
        self._pipes: dict[tuple[str, ...], process.BatchProcess] = {}
        self._remotes: dict[str, str] = {}
        self._prepared_for = ""
        self._checked = ChecksumVerifier()

    # -- remotes -----------------------------------------------------------------------------

    def prepare(self, remote_log: bytes) -> None:
        """Make the repository an annex and enable the listed storages that the dataset knows.

        Cheap when nothing changed since the last call.

        :raises Refused: when a storage is not what the operator listed.
        """
        stamp = str(hash(remote_log))
        if stamp == self._prepared_for:
            return
        if not self.own:
            self._remotes = {"here": self._config("annex.uuid")}
            self._prepared_for = stamp
            return
        with self._lock("annex"):
            if not self._config("annex.uuid"):
                self._git("config", "annex.private", "true")
                self._git("config", "remote.origin.annex-ignore", "true")
                self._annex("init", "--quiet", "--no-autoenable", "tea-runner worker")
            self.close()
            known = parse_remote_log(remote_log)
            self._remotes = {}
            for storage in self.storages:
                self._enable(storage, known)
        self._prepared_for = stamp

    def _enable(self, storage: Storage, known: Mapping[str, Mapping[str, str]]) -> None:
        if storage.name == "origin":
            self._git("config", "remote.origin.annex-ignore", "false")
            self._annex("find", "--quiet", "--in", "origin", "--limit=0", check=False)
            uuid = self._config("remote.origin.annex-uuid")
            if uuid:
                self._remotes["origin"] = uuid
                self._git("config", "remote.origin.annex-speculate-present", "true")
            return
        if storage.name in BUILT_IN:
            self._git("config", f"remote.{storage.name}.annex-ignore", "false")
            return
        for uuid, config in known.items():
            if storage.uuid and storage.uuid != uuid:
                continue
            if not storage.uuid and config.get("name") != storage.name:
                continue
            kind = config.get("type", "")
            if storage.type and kind != storage.type:
                raise Refused(
                    f"storage {storage.name} is of type {kind} in the dataset, but the settings "
                    f"say {storage.type}; correct the one or the other"
                )
            if kind not in BY_NAME and not storage.uuid:
                raise Refused(
                    f"storage {storage.name} is of type {kind}, which starts programs or goes "
                    f"where the dataset says; allow it by its uuid: {uuid}"
                )
            if surprise := storage.surprise(config):
                raise Refused(surprise)
            self._enable_special(config.get("name", storage.name), uuid, storage, config)

    def _enable_special(
        self, name: str, uuid: str, storage: Storage, config: Mapping[str, str]
    ) -> None:
        if self._config(f"remote.{name}.annex-uuid") != uuid:
            self._annex("enableremote", name, *storage.enabling(config))
        # A configuration that others may edit must be accepted by us each time it changes
        # (git-annex-verifyremote(1)); this one says nothing that the operator did not list.
        text = self._annex("verifyremote", name, check=False).decode("utf-8", "replace")
        marker = "verifyremote " + name + " --safe "
        if marker in text:
            number = text.split(marker, 1)[1].split()[0]
            if number.isdigit():
                self._annex("verifyremote", name, "--safe", number)
        self._git("config", f"remote.{name}.annex-speculate-present", "true")
        self._remotes[name] = uuid

    @property
    def target(self) -> tuple[str, str]:
        """Name and uuid of where new content goes.

        :raises OutsideError: when the dataset has none of the listed storages.
        """
        for name, uuid in self._remotes.items():
            return name, uuid
        listed = ", ".join(storage.name for storage in self.storages) or "none"
        raise OutsideError(
            f"no storage for annexed results: the dataset has none of the storages in the settings "
            f"({listed}); add one with git annex initremote and list it under [[storage]]"
        )

    # -- content in --------------------------------------------------------------------------

    def get(self, keys: Iterable[str]) -> dict[str, Path]:
        """Files with the content of these keys, verified when they arrived.

        :raises ContentMissing: naming the keys that no storage has.
        """
        places: dict[str, Path] = {}
        absent = []
        for key in dict.fromkeys(keys):
            place = self._whole(key)
            if place is None:
                absent.append(key)
            else:
                places[key] = place
        if absent:
            errors = self._fetch(absent)
            for key in absent:
                place = self._object(key)
                if place is not None:
                    self._checked.note(place)
                    places[key] = place
            missing = tuple(key for key in absent if key not in places)
            if missing:
                reasons = "; ".join(filter(None, dict.fromkeys(map(errors.get, missing))))
                searched = ", ".join(self._remotes) or "no storage"
                raise ContentMissing(
                    f"{len(missing)} of {len(places) + len(missing)} files have no content in "
                    f"{searched}, for example key {missing[0]}{': ' + reasons if reasons else ''}",
                    missing,
                )
        return places

    def _whole(self, key: str) -> Path | None:
        """Where the content is, if it is here and is what the key says."""
        for place in self._places(key):
            with contextlib.suppress(FileNotFoundError):
                if self._checked.is_whole(place, key):
                    return place
                if not self.own:
                    raise OutsideError(f"the content of {key} is damaged; see git annex fsck")
                quarantine(place, self.git_dir / "annex" / "bad")
        return None

    def _object(self, key: str) -> Path | None:
        """Where the content is, if there are as many bytes as there should be."""
        for place in self._places(key):
            with contextlib.suppress(OSError):
                if key_size(key) in (None, place.stat().st_size):
                    return place
        return None

    def _places(self, key: str) -> Iterator[Path]:
        name = file_name(key)
        for directory in (lower_directory(key), mixed_directory(key)):
            yield self.git_dir / "annex" / "objects" / directory / name / name

    def _fetch(self, keys: Sequence[str]) -> dict[str, str]:
        errors: dict[str, str] = {}
        for answer in self._batch(keys, "get", "--batch-keys", "--json", "--json-error-messages"):
            if not answer.get("success"):
                errors[str(answer.get("key"))] = _words(answer)
        return errors

    # -- content out -------------------------------------------------------------------------

    def key_of(self, path: Path, backend: str) -> str:
        """The key that git-annex gives this file with this backend."""
        name = os.fsencode(path)
        if b"\n" in name:
            return (
                self._annex("calckey", f"--backend={backend}", os.fsdecode(name)).decode().strip()
            )
        pipe = self._pipe("calckey", f"--backend={backend}", "--batch")
        pipe.send(name + b"\n")
        key = pipe.receive(timeout=deadline(path.stat().st_size)).decode("utf-8", "surrogateescape")
        if not key:
            raise OutsideError(f"git-annex could not make a key for {path.name}")
        return key

    def insert(self, path: Path, key: str) -> None:
        """Put a copy of the file into this repository as the content of the key."""
        if self._whole(key) is not None:
            return
        directory = lower_directory(key) if self.own else mixed_directory(key)
        name = file_name(key)
        final = self.git_dir / "annex" / "objects" / directory / name
        final.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: threads of one process may put the same content here at the same time.
        temporary = self.git_dir / "annex" / "tmp" / f"tea-{uuid4().hex}"
        temporary.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, temporary)
        temporary.chmod(0o444)
        with contextlib.suppress(FileExistsError):
            final.mkdir()
        with contextlib.suppress(PermissionError):
            final.chmod(0o755)
        os.replace(temporary, final / name)
        final.chmod(0o555)

    def send(self, keys: Sequence[str]) -> str:
        """Copy the keys' content to storage, verify that it is there, and return the storage's uuid.

        :raises OutsideError: when some of it is not.
        """
        if not keys:
            # Where nothing is annexed, no storage is needed.
            return ""
        name, uuid = self.target
        if name == "here":
            return uuid
        wanted = list(dict.fromkeys(keys))
        for answer in self._batch(
            wanted, "copy", "--batch-keys", f"--to={name}", "--json", "--json-error-messages"
        ):
            if not answer.get("success"):
                raise OutsideError(
                    f"storage {name} did not take {answer.get('key')}: {_words(answer)}"
                )
        pipe = self._pipe("checkpresentkey", "--batch", name)
        for key in wanted:
            pipe.send(key.encode("utf-8", "surrogateescape") + b"\n")
            if pipe.receive(timeout=deadline(0)) != b"1":
                raise OutsideError(f"storage {name} says that it does not have {key}, just sent")
        return uuid

    def matches(self, expression: str, path: str, size: int, encoding: str) -> bool:
        """Whether a file matches ``annex.largefiles`` (git-annex-matchexpression(1)).

        :raises UserError: when the expression is wrong, or asks for more than is known.
        """
        done = process.run(
            [
                "git-annex",
                "matchexpression",
                "--largefiles",
                f"--file={path}",
                f"--size={size}",
                f"--mimeencoding={encoding}",
                f"--mimetype={'application/octet-stream' if encoding == 'binary' else 'text/plain'}",
                "--",
                expression,
            ],
            env=self._env,
            cwd=self._cwd,
            check=False,
        )
        if done.returncode in (0, 1):
            return done.returncode == 0
        words = done.stderr.decode("utf-8", "replace").strip()
        raise UserError(
            f"annex.largefiles={expression} cannot be evaluated for {path}: {words}; "
            f"correct it in .gitattributes"
        )

    def where(self, keys: Sequence[str]) -> dict[str, str]:
        """Which of these keys a storage has now, asked of it, with the storage's uuid.

        In a person's clone only what the clone itself has is looked at.
        """
        found: dict[str, str] = {}
        for name, uuid in self._remotes.items():
            rest = [key for key in dict.fromkeys(keys) if key not in found]
            if name == "here":
                found.update((key, uuid) for key in rest if self._object(key) is not None)
                continue
            pipe = self._pipe("checkpresentkey", "--batch", name)
            for key in rest:
                pipe.send(key.encode("utf-8", "surrogateescape") + b"\n")
                if pipe.receive(timeout=deadline(0)) == b"1":
                    found[key] = uuid
        return found

    # -- git-annex itself --------------------------------------------------------------------

    def _batch(self, lines: Sequence[str], *arguments: str) -> Iterator[dict[str, Any]]:
        """One JSON answer for each line, from a process that stays."""
        pipe = self._pipe(*arguments)
        for line in lines:
            pipe.send(line.encode("utf-8", "surrogateescape") + b"\n")
            text = pipe.receive(timeout=deadline(key_size(line) or 0))
            try:
                answer = json.loads(text)
            except ValueError:
                answer = {
                    "success": False,
                    "key": line,
                    "error-messages": [text.decode("utf-8", "replace")],
                }
            if not text:
                answer = {"success": True, "key": line}
            yield answer

    def _pipe(self, *arguments: str) -> process.BatchProcess:
        pipe = self._pipes.get(arguments)
        if pipe is None or not pipe.alive:
            if pipe is not None:
                pipe.close()
            pipe = process.BatchProcess(["git-annex", *arguments], env=self._env, cwd=self._cwd)
            self._pipes[arguments] = pipe
        return pipe

    @property
    def _cwd(self) -> Path:
        return self.git_dir if self.own else self.git_dir.parent

    def _annex(self, *arguments: str, check: bool = True) -> bytes:
        done = process.run(
            ["git-annex", *arguments],
            env=self._env,
            cwd=self._cwd,
            check=check,
            why=f"git annex {arguments[0]}",
        )
        return bytes(done.stdout)

    def _git(self, *arguments: str) -> None:
        process.run(
            ["git", f"--git-dir={self.git_dir}", *arguments], env=self._environment.variables
        )

    def _config(self, name: str) -> str:
        done = process.run(
            ["git", f"--git-dir={self.git_dir}", "config", "--get", name],
            env=self._environment.variables,
            check=False,
        )
        return str(done.stdout.decode("utf-8", "replace").strip())

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        path = self.git_dir.with_name(f".{self.git_dir.name}.{name}.lock")
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def close(self) -> None:
        """End the processes behind it; git-annex writes its journal then."""
        for pipe in self._pipes.values():
            with contextlib.suppress(CommandError, OSError):
                pipe.close()
        self._pipes.clear()


def _words(answer: Mapping[str, Any]) -> str:
    """git-annex's own reasons: its errors, or else its note."""
    words = answer.get("error-messages") or [answer.get("note") or ""]
    return " ".join(str(word) for word in words).strip()
