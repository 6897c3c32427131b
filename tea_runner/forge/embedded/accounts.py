"""User accounts of the embedded forge: passwords and access tokens.

Kept in one small file that only its owner can read: passwords as scrypt hashes, tokens (which are
long and random) as SHA-256.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tea_runner.core.errors import UserError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,38}")
_COST = {"n": 1 << 14, "r": 8, "p": 1}


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user; with *admin*, an administrator of the forge."""

    name: str
    number: int
    admin: bool


class Accounts:
    """The users of one forge."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        # Slow hashes are computed once per process and password; the memory holds no password.
        self._pepper = secrets.token_bytes(32)
        self._known: dict[bytes, str] = {}
        self._stamp: tuple[int, int] = (0, 0)
        self._users: dict[str, dict[str, Any]] = {}

    def add(self, name: str, password: str, *, admin: bool = False) -> Account:
        """Create a user, or change its password.

        :raises UserError: for a name that cannot be part of an address.
        """
        if not _NAME.fullmatch(name) or name in ("api", "static", "healthz"):
            raise UserError(
                f"{name!r} cannot be a user: use letters, digits, dot, dash, underscore"
            )
        if not password:
            raise UserError(f"{name}: the password must not be empty")
        salt = secrets.token_bytes(16)
        entry = {"salt": salt.hex(), "hash": _slow(password, salt), "admin": admin}

        def change(users: dict[str, dict[str, Any]]) -> None:
            old = users.get(name, {"number": len(users) + 1, "tokens": []})
            users[name] = {**old, **entry}

        self._change(change)
        account = self.get(name)
        assert account is not None
        return account

    def add_token(self, name: str) -> str:
        """Create an access token; only its hash is stored.

        :raises UserError: when the user does not exist.
        """
        token = secrets.token_hex(20)
        if self.get(name) is None:
            raise UserError(f"user {name} does not exist", hint="create it first")
        self._change(lambda users: users[name]["tokens"].append(_fast(token)))
        return token

    def get(self, name: str) -> Account | None:
        """Return the user with this name, or None."""
        entry = self._read().get(name)
        if entry is None:
            return None
        return Account(name=name, number=int(entry["number"]), admin=bool(entry["admin"]))

    def authenticate(self, authorization: str) -> Account | None:
        """Return the user of an ``Authorization`` header: basic, ``token …`` or ``Bearer …``."""
        kind, _, rest = authorization.strip().partition(" ")
        if kind.lower() in ("token", "bearer"):
            return self._by_token(rest.strip())
        if kind.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return self._by_password(name, password) or self._by_token(password or name)

    def _by_password(self, name: str, password: str) -> Account | None:
        entry = self._read().get(name)
        if entry is None or not password:
            return None
        mark = hmac.digest(self._pepper, f"{name}\0{password}".encode(), "sha256")
        if self._known.get(mark) != entry["hash"]:
            if not hmac.compare_digest(
                _slow(password, bytes.fromhex(entry["salt"])), entry["hash"]
            ):
                return None
            self._known[mark] = entry["hash"]
        return self.get(name)

    def _by_token(self, token: str) -> Account | None:
        if len(token) < 20:
            return None
        mark = _fast(token)
        for name, entry in self._read().items():
            if mark in entry["tokens"]:
                return self.get(name)
        return None

    def _read(self) -> dict[str, dict[str, Any]]:
        """Read the users, from the file only when another process has changed it."""
        try:
            at = self.path.stat()
        except FileNotFoundError:
            return {}
        stamp = (at.st_mtime_ns, at.st_ino)
        if stamp != self._stamp:
            self._users = json.loads(self.path.read_text(encoding="utf-8"))
            self._stamp = stamp
        return self._users

    def _change(self, change: Callable[[dict[str, dict[str, Any]]], None]) -> None:
        with self._lock:
            users = json.loads(json.dumps(self._read()))
            change(users)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            made, name = tempfile.mkstemp(dir=self.path.parent, prefix=".users-")
            try:
                with os.fdopen(made, "w", encoding="utf-8") as written:
                    json.dump(users, written, indent=1)
                os.replace(name, self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise


def _slow(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, **_COST, dklen=32).hex()


def _fast(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
