"""The key that signs manifests, and the public keys whose signatures count.

Signatures are SSH signatures (OpenSSH, PROTOCOL.sshsig), made and checked by ssh-keygen(1).  The first
checked thing is the public key that a signature names: others cost no process.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
import struct
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tea_runner.core.errors import SettingsError
from tea_runner.core.results.manifest_statement import NAMESPACE
from tea_runner.dataset.ssh_signature import Signer
from tea_runner.host import process

#: Bytes of the largest signature that is looked at; one of an Ed25519 key has 300.
_LARGEST = 8192
_ARMOUR = (b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----")
_MAGIC = b"SSHSIG"


class PublicKey(NamedTuple):
    """An SSH public key."""

    #: ``SHA256:…``, as ssh-keygen(1) prints it.
    fingerprint: str
    #: The comment of the key, or its fingerprint.
    name: str
    #: ``TYPE BASE64 COMMENT``.
    line: str


def parse_public_key(line: str) -> PublicKey:
    """Parse a line of the format of ``id_ed25519.pub``.

    :raises SettingsError: when it is malformed.
    """
    words = line.strip().split(None, 2)
    try:
        if "\n" in line.strip():
            raise ValueError(line)
        blob = base64.b64decode(words[1], validate=True)
        if _text(blob)[0] != words[0].encode():
            raise ValueError(line)
    except (IndexError, ValueError, binascii.Error, struct.error) as error:
        raise SettingsError(
            f"{line[:60]!r} is no SSH public key",
            hint="write the whole line of the .pub file: ssh-ed25519 AAAA… NAME",
        ) from error
    fingerprint = _fingerprint(blob)
    return PublicKey(fingerprint, words[2] if len(words) > 2 else fingerprint, " ".join(words))


def signing_key(signature: bytes) -> PublicKey | None:
    """The key that a signature names; None where it is malformed.

    It proves nothing: anybody can write a key's name.
    """
    text = signature.strip()
    if not (len(text) <= _LARGEST and text.startswith(_ARMOUR[0]) and text.endswith(_ARMOUR[1])):
        return None
    body = text[len(_ARMOUR[0]) : -len(_ARMOUR[1])]
    with contextlib.suppress(ValueError, binascii.Error, struct.error):
        data = base64.b64decode(b"".join(body.split()), validate=True)
        if data.startswith(_MAGIC):
            blob = _text(data[len(_MAGIC) + 4 :])[0]
            kind = _text(blob)[0].decode("ascii")
            return parse_public_key(f"{kind} {base64.b64encode(blob).decode('ascii')}")
    return None


def _text(data: bytes) -> tuple[bytes, bytes]:
    """The first string of the SSH wire format (RFC 4251, section 5), and the rest."""
    (size,) = struct.unpack(">L", data[:4])
    if len(data) < 4 + size:
        raise ValueError("incomplete")
    return data[4 : 4 + size], data[4 + size :]


def _fingerprint(blob: bytes) -> str:
    digest = hashlib.sha256(blob).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def _version(path: Path) -> object:
    """A value that differs after the file was replaced or written."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class ResultsKeys:
    """Signs with the key of this installation; knows the keys whose signatures count.

    :param path: the private key; it is made with the first use where it is missing.  Former keys of
        this installation are in a file beside it, with the ending ``.former``.
    :param trusted: lines of further public keys.
    """

    def __init__(
        self, path: Path, variables: Mapping[str, str], trusted: Iterable[str] = ()
    ) -> None:
        self._path = path
        self._variables = variables
        self._listed = tuple(map(parse_public_key, trusted))
        self._env = {"PATH": variables.get("PATH", os.defpath), "HOME": "/nonexistent"}
        self._signer: Signer | None = None
        self._trusted: dict[str, PublicKey] = {}
        #: What the files of keys were like when they were read last.
        self._read: object = None

    @property
    def own(self) -> PublicKey:
        """The public key of this installation.

        :raises SettingsError: when it cannot be made or read.
        """
        self._make()
        argv = ["ssh-keygen", "-y", "-P", "", "-f", str(self._path)]
        done = process.run(argv, env=self._env, check=False)
        if done.returncode:
            message = done.stderr.decode("utf-8", "replace").strip()
            raise SettingsError(f"the key that signs results cannot be read: {message}")
        return parse_public_key(done.stdout.decode("utf-8", "replace").strip())

    @property
    def former(self) -> tuple[PublicKey, ...]:
        """Public keys that this installation has used before :meth:`rotate`."""
        path = self._former_path
        lines = path.read_text().splitlines() if path.exists() else []
        return tuple(parse_public_key(line) for line in lines if line.strip())

    @property
    def trusted(self) -> Mapping[str, PublicKey]:
        """The keys whose signatures count, by fingerprint: own, former and listed ones.

        Files are read again when another process has rotated the key.
        """
        now = (_version(self._path), _version(self._former_path))
        if self._read != now:
            own = (self.own,) if self._path.exists() else ()
            keys = (*self._listed, *self.former, *own)
            self._trusted = {key.fingerprint: key for key in keys}
            self._read = now
        return self._trusted

    def sign(self, statement: bytes) -> bytes:
        """The signature of a statement.

        :raises SettingsError: when the key cannot be used.
        """
        if self._signer is None:
            self._make()
            self._signer = Signer(self._path, self._variables, NAMESPACE, "trust.key")
        return self._signer(statement)

    def signer_of(self, statement: bytes, signature: bytes) -> str:
        """Name of the trusted signer of exactly this statement; empty when there is none.

        :raises OutsideError: when ssh-keygen(1) cannot be started.
        """
        named = signing_key(signature)
        key = self.trusted.get(named.fingerprint) if named is not None else None
        if key is None:
            return ""
        with tempfile.NamedTemporaryFile(suffix=".sig") as file:
            file.write(signature)
            file.flush()
            argv = ["ssh-keygen", "-q", "-Y", "check-novalidate", "-n", NAMESPACE, "-s", file.name]
            done = process.run(argv, env=self._env, stdin=statement, check=False)
        return key.name if done.returncode == 0 else ""

    def rotate(self) -> PublicKey:
        """Make a new key; what the former one has signed stays valid.  Returns the new key.

        :raises SettingsError: when it cannot be made.
        """
        former = self.own
        with self._former_path.open("a") as file:
            file.write(former.line + "\n")
        self._generate(replace=True)
        self._signer = None
        return self.own

    @property
    def _former_path(self) -> Path:
        return self._path.with_name(self._path.name + ".former")

    def _make(self) -> None:
        if not self._path.exists():
            self._generate(replace=False)

    def _generate(self, *, replace: bool) -> None:
        """Make a key in a folder beside it, and move it to its place at once."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        comment = f"tea-runner@{os.uname().nodename}"
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(new)]
        try:
            done = process.run(argv, env=self._env, check=False)
            if done.returncode:
                message = done.stderr.decode("utf-8", "replace").strip()
                raise SettingsError(
                    f"no key to sign results could be made at {self._path}: {message}"
                )
            if replace:
                new.replace(self._path)
                return
            with contextlib.suppress(FileExistsError):  # another process was first
                os.link(new, self._path)
        finally:
            new.unlink(missing_ok=True)
            new.with_name(new.name + ".pub").unlink(missing_ok=True)
