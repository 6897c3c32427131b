"""Sessions of people who signed in: encrypted in Redis, where they expire.

The key of a session is derived from its id, which only the person's browser has, and from a key of this
server.  So a reader of Redis learns no credential, and a writer cannot make a session.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any

import redis
from cryptography.fernet import Fernet, InvalidToken

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error


@raises_queue_error
class SessionStore:
    """Sessions by their ids.  Every method raises QueueError when Redis does not answer.

    :param key: secret of the servers that share sessions.
    :param lifetime: seconds until a session expires.
    """

    def __init__(self, connection: redis.Redis, key: bytes, lifetime: float) -> None:
        self._redis = connection
        self._key = key
        self._lifetime = max(1, int(lifetime))

    def begin(self, fields: Mapping[str, Any]) -> str:
        """Save a new session; returns its id."""
        name = secrets.token_urlsafe(32)
        self._redis.set(_key_name(name), self._seal(name, fields), ex=self._lifetime)
        return name

    def get(self, name: str) -> Mapping[str, Any] | None:
        """The fields of a session; None when it is unknown, has ended or was not made by this server."""
        raw: Any = self._redis.get(_key_name(name))
        return unsealed_by_name(self._key, name, raw)

    def change(self, name: str, fields: Mapping[str, Any]) -> None:
        """Save other fields of a session that has not ended; it expires when it would have expired."""
        self._redis.set(_key_name(name), self._seal(name, fields), xx=True, keepttl=True)

    def end(self, name: str) -> None:
        """Forget a session."""
        self._redis.delete(_key_name(name))

    def _seal(self, name: str, fields: Mapping[str, Any]) -> bytes:
        return sealed_by_name(self._key, name, fields)


def sealed_by_name(key: bytes, name: str, fields: Mapping[str, Any]) -> bytes:
    """Fields encrypted with a key of the server and a name that only their owner has."""
    return _fernet(key, name).encrypt(json.dumps(dict(fields)).encode())


def unsealed_by_name(key: bytes, name: str, raw: bytes | None) -> Mapping[str, Any] | None:
    """The reverse; None for anything that was not encrypted so."""
    try:
        found = json.loads(_fernet(key, name).decrypt(raw or b""))
    except (InvalidToken, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _fernet(key: bytes, name: str) -> Fernet:
    derived = hmac.digest(key, f"session {name}".encode("utf-8", "surrogateescape"), "sha256")
    return Fernet(base64.urlsafe_b64encode(derived))


def _key_name(name: str) -> str:
    return redis_keys.session(hashlib.sha256(name.encode()).hexdigest())
