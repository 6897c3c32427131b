"""Where new annexed content is stored: special remotes of a mirror, or the user's own clone."""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.dataset.annex_objects import AnnexObjects
from tea_runner.dataset.annex_program import AnnexProgram, error_text, transfer_timeout
from tea_runner.dataset.described_remotes import DescribedRemote, described_remotes
from tea_runner.dataset.special_remote_policy import BUILT_IN, Storage

#: Exit code of git-annex-checkpresentkey(1) when a remote cannot say whether it has a key.
_CANNOT_SAY = 100
#: Seconds for which a storage that took a file is believed to take more.
_LOOK_EVERY = 600.0


class ContentStorage(Protocol):
    """Storage of annexed content."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the storages."""
        ...

    @property
    def uuid(self) -> str:
        """git-annex's uuid of the storage for new content.

        :raises OutsideError: when there is none.
        """
        ...

    def require_writable(self) -> None:
        """Look whether the storage takes results now.

        :raises Refused: when it never does.
        :raises OutsideError: when it does not now.
        """
        ...

    def send(self, keys: Sequence[str]) -> None:
        """Copy content to the storage and verify that it is there.

        :raises OutsideError: when a key's content is not there afterwards.
        """
        ...

    def locations(self, keys: Sequence[str]) -> dict[str, str]:
        """Which keys have their content in a storage now, with its uuid."""
        ...

    def outage(self, keys: Sequence[str]) -> str:
        """A sentence on a storage that should have some of these keys and does not answer; or empty."""
        ...


class CloneStorage:
    """The annex of a user's clone: content stays where git-annex would keep it."""

    def __init__(self, program: AnnexProgram, objects: AnnexObjects) -> None:
        self._program = program
        self._objects = objects
        self._uuid = ""

    @property
    def names(self) -> Sequence[str]:
        """See :class:`ContentStorage`."""
        return ("here",)

    @property
    def uuid(self) -> str:
        """The clone's own uuid, empty when it is not a git-annex repository."""
        self._uuid = self._uuid or self._program.config("annex.uuid")
        return self._uuid

    def require_writable(self) -> None:
        """The clone takes results."""

    def send(self, keys: Sequence[str]) -> None:
        """New content is in the clone already."""

    def locations(self, keys: Sequence[str]) -> dict[str, str]:
        """Only the clone's own content counts."""
        return {key: self.uuid for key in keys if self._objects.present(key) is not None}

    def outage(self, keys: Sequence[str]) -> str:  # noqa: ARG002
        """The clone is here."""
        return ""


class SpecialRemotes:
    """The special remotes that the operator listed, enabled in a mirror.

    The first one that takes content is for results.

    The mirror's annex is private (``annex.private``): no location log of ours ever leaves it.
    """

    def __init__(
        self,
        program: AnnexProgram,
        storages: Sequence[Storage],
        conflict: Callable[[str], str] = lambda _: "",
        *,
        insert: Callable[[Path, str], object] = lambda *_: None,
    ) -> None:
        """Make them.

        :param conflict: why a storage of this name that the operator did not open to this repository by
            name may not be used, as a sentence; empty when it may.
        :param insert: stores a copy of a file as the content of a key.
        """
        self._program = program
        self._insert = insert
        #: Uuids to the times of the monotonic clock at which the storage took a file.
        self._took: dict[str, float] = {}
        self._conflict = conflict
        self._storages = tuple(storages)
        self._uuids: dict[str, str] = {}
        #: By name: why a storage that is enabled takes no results.
        self._refusals: dict[str, str] = {}
        #: By name: how the dataset describes a storage that is enabled.
        self._described: dict[str, Mapping[str, str]] = {}
        self._enabled_for: bytes | None = None

    def enable(self, remote_log: bytes) -> None:
        """Make the mirror an annex and enable the listed storages that the dataset describes.

        Does nothing when *remote_log* is that of the last call.

        :raises Refused: when the dataset describes a storage in another way than the operator, or others
            use it who may not read the dataset.
        """
        if remote_log == self._enabled_for:
            return
        program = self._program
        lock = program.git_dir.with_name(f".{program.git_dir.name}.annex.lock")
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not program.config("annex.uuid"):
                program.set_config("annex.private", "true")
                program.set_config("remote.origin.annex-ignore", "true")
                program.run("init", "--quiet", "--no-autoenable", "tea-runner worker")
            program.close()
            described = list(described_remotes(remote_log))
            self._uuids, self._refusals, self._described = {}, {}, {}
            for storage in self._storages:
                self._enable(storage, described)
        self._enabled_for = remote_log

    def _enable(self, storage: Storage, described: Sequence[DescribedRemote]) -> None:
        if storage.name == "origin":
            self._enable_forge()
            return
        if storage.name in BUILT_IN:
            self._program.set_config(f"remote.{storage.name}.annex-ignore", "false")
            return
        found = [remote for remote in described if storage.describes(remote)]
        named = [remote for remote in found if remote.name == storage.name]
        for remote in named or found:
            if storage.type and remote.type != storage.type:
                raise Refused(
                    f"storage {storage.name} is of type {remote.type} in the dataset, but the "
                    f"settings say {storage.type}",
                    hint="correct the one or the other",
                )
            if not storage.may_be_named(remote.type):
                raise Refused(
                    f"storage {storage.name} is of type {remote.type}, which starts programs or "
                    "goes where the dataset says",
                    hint=f"allow it by its uuid: {remote.config_uuid}",
                )
            if difference := storage.difference(remote.config):
                raise Refused(difference)
            if not storage.listed and (conflict := self._conflict(storage.name)):
                raise Refused(conflict)
            self._enable_special(remote.name or storage.name, storage, remote)

    def _enable_forge(self) -> None:
        """Use the forge's own git-annex, when it has one: git-annex finds its uuid on first use."""
        self._program.set_config("remote.origin.annex-ignore", "false")
        self._program.run("find", "--quiet", "--in", "origin", "--limit=0", check=False)
        uuid = self._program.config("remote.origin.annex-uuid")
        if uuid:
            self._uuids["origin"] = uuid
            # Location logs may not be here yet: try the storage for every key.
            self._program.set_config("remote.origin.annex-speculate-present", "true")

    def _enable_special(self, name: str, storage: Storage, remote: DescribedRemote) -> None:
        kept = "annex-uuid" if remote.uuid == remote.config_uuid else "annex-config-uuid"
        if self._program.config(f"remote.{name}.{kept}") != remote.config_uuid:
            self._program.run("enableremote", name, *storage.enabling(remote.config))
        # git-annex refuses a changed configuration until it is accepted (git-annex-verifyremote(1)).
        # This one differs in nothing from what the operator listed.
        text = self._program.run("verifyremote", name, check=False).decode("utf-8", "replace")
        marker = "verifyremote " + name + " --safe "
        if marker in text:
            number = text.split(marker, 1)[1].split()[0]
            if number.isdigit():
                self._program.run("verifyremote", name, "--safe", number)
        self._program.set_config(f"remote.{name}.annex-speculate-present", "true")
        self._uuids[name] = remote.uuid
        self._described[name] = remote.config
        if refusal := storage.takes_no_results(remote.config):
            self._refusals[name] = refusal

    @property
    def names(self) -> Sequence[str]:
        """Names of the storages that are enabled."""
        return tuple(self._uuids)

    def uuid_of(self, name: str) -> str:
        """The uuid of a storage that is enabled; empty when it is not."""
        return self._uuids.get(name, "")

    def described(self, name: str) -> Mapping[str, str]:
        """How the dataset describes a storage that is enabled; empty when it is not."""
        return self._described.get(name, {})

    @property
    def refusals(self) -> Sequence[str]:
        """Why storages that are enabled take no results, a sentence for each such storage."""
        return tuple(self._refusals.values())

    @property
    def _target(self) -> tuple[str, str]:
        """Name and uuid of the first storage that takes results.

        :raises Refused: when none of the dataset's storages does.
        :raises OutsideError: when the dataset has none that the settings list.
        """
        for name, uuid in self._uuids.items():
            if name not in self._refusals:
                return name, uuid
        if self._refusals:
            raise Refused(
                "; ".join(self._refusals.values()),
                hint="add one that does with git annex initremote, and list it under [[storage]]",
            )
        listed = ", ".join(storage.name for storage in self._storages) or "none"
        raise OutsideError(
            "no storage for annexed results: the dataset has none of the storages in the "
            f"settings ({listed})",
            hint="add one with git annex initremote and list it under [[storage]]",
        )

    @property
    def uuid(self) -> str:
        """See :class:`ContentStorage`."""
        return self._target[1]

    def require_writable(self) -> None:
        """See :class:`ContentStorage`; a storage that took a file lately is not asked again."""
        name, uuid = self._target
        now = time.monotonic()
        if now - self._took.get(uuid, -_LOOK_EVERY) >= _LOOK_EVERY:
            self._probe(name)
            self._took[uuid] = now

    def _probe(self, name: str) -> None:
        """Send a small file to a storage and remove it there.

        :raises OutsideError: when the storage does not take it.
        """
        # A text of its own: what another worker removes meanwhile is not this one's.
        text = f"tea-runner looks whether this storage takes results: {uuid4().hex}\n".encode()
        key = f"SHA256-s{len(text)}--{hashlib.sha256(text).hexdigest()}"
        file = self._program.git_dir / f"tea-probe.{uuid4().hex}"
        file.write_bytes(text)
        try:
            self._insert(file, key)
        finally:
            file.unlink()
        try:
            (answer,) = self._program.ask_json([key], "copy", f"--to={name}")
            if not answer.get("success"):
                raise OutsideError(
                    f"storage {name} takes no results now: {error_text(answer)}",
                    hint="no command is run before it does",
                )
        finally:
            # Where nothing can be removed, one small file stays for each look.
            for place in (("--from", name), ()):
                self._program.run("drop", "--quiet", "--force", *place, "--key", key, check=False)

    def send(self, keys: Sequence[str]) -> None:
        """See :class:`ContentStorage`."""
        name, uuid = self._target
        try:
            self._send(keys, name)
        except OutsideError:
            self._took.pop(uuid, None)
            raise
        self._took[uuid] = time.monotonic()

    def _send(self, keys: Sequence[str], name: str) -> None:
        for answer in self._program.ask_json(keys, "copy", f"--to={name}"):
            if not answer.get("success"):
                raise OutsideError(
                    f"storage {name} did not take {answer.get('key')}: {error_text(answer)}"
                )
        for key in keys:
            if not self._is_present(key, name):
                raise OutsideError(f"storage {name} does not have {key}, which was just sent")

    def _is_present(self, key: str, name: str) -> bool:
        line = key.encode("utf-8", "surrogateescape")
        answer = self._program.ask(
            line, "checkpresentkey", "--batch", name, timeout=transfer_timeout(0)
        )
        return answer == b"1"

    def locations(self, keys: Sequence[str]) -> dict[str, str]:
        """See :class:`ContentStorage`; the storages are asked."""
        uuids: dict[str, str] = {}
        for name, uuid in self._uuids.items():
            rest = [key for key in dict.fromkeys(keys) if key not in uuids]
            uuids.update((key, uuid) for key in rest if self._is_present(key, name))
        return uuids

    def outage(self, keys: Sequence[str]) -> str:
        """See :class:`ContentStorage`; a storage that has none of them, by the logs, is not asked.

        Each other storage is asked for one key.  ``web`` is many hosts, some of which are gone for good:
        what cannot be had from there is missing.
        """
        names = {uuid: name for name, uuid in self._uuids.items()}
        asked: set[str] = set()
        for answer in self._program.ask_json(keys, "whereis"):
            key = str(answer.get("key"))
            for place in answer.get("whereis", ()):
                name = names.get(place.get("uuid"))
                if name is None or name in asked:
                    continue
                asked.add(name)
                code, error = self._program.exit_code("checkpresentkey", key, name)
                if code == _CANNOT_SAY:
                    return f"storage {name} does not answer: {' '.join(error.split())}"
        return ""
