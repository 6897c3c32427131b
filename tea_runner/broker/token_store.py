"""Tokens that people made on a page: hashed in Redis, where they expire, with the grant of their account.

What a token stands for is encrypted with a key that is derived from the token and from a key of this
server: a reader of Redis learns no credential, and a writer makes no token.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import redis

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import raises_queue_error
from tea_runner.broker.session_store import sealed_by_name, unsealed_by_name
from tea_runner.core.access import MADE_HERE

TokenScope = Literal["read", "write"]


@dataclass(frozen=True, kw_only=True)
class ListedToken:
    """A token as its owner sees it; the token itself is shown once, when it is made."""

    id: str
    name: str
    scope: TokenScope
    made: float
    expires: float


@raises_queue_error
class TokenStore:
    """Tokens by themselves, and their list by account.

    Every method raises QueueError when Redis does not answer.

    :param key: secret of the servers that share tokens.
    """

    def __init__(self, connection: redis.Redis, key: bytes) -> None:
        self._redis = connection
        self._key = key

    def make(
        self, account: str, fields: Mapping[str, Any], *, name: str, scope: TokenScope, days: int
    ) -> str:
        """Save a new token; returns it.

        :param account: whose it is; empty for the operator.
        :param fields: those of the session in which it is made.
        """
        token = MADE_HERE + secrets.token_urlsafe(32)
        seconds, now = days * 86_400, time.time()
        listed = ListedToken(
            id=_digest(token), name=name, scope=scope, made=now, expires=now + seconds
        )
        text = sealed_by_name(self._key, token, {**fields, "scope": scope})
        pipe = self._redis.pipeline(transaction=True)
        pipe.set(redis_keys.token(listed.id), text, ex=seconds)
        pipe.hset(self._list_name(account), listed.id, json.dumps(asdict(listed)))
        pipe.expire(self._list_name(account), redis_keys.tokens.ttl)
        pipe.execute()
        return token

    def get(self, token: str) -> Mapping[str, Any] | None:
        """The fields of a token; None when it is unknown, has expired, or was revoked."""
        raw: Any = self._redis.get(redis_keys.token(_digest(token)))
        return unsealed_by_name(self._key, token, raw)

    def change(self, token: str, fields: Mapping[str, Any]) -> None:
        """Save other fields of a token that has not expired."""
        text = sealed_by_name(self._key, token, fields)
        self._redis.set(redis_keys.token(_digest(token)), text, xx=True, keepttl=True)

    def end(self, token: str) -> None:
        """Forget a token that the forge does not accept any more."""
        self._redis.delete(redis_keys.token(_digest(token)))

    def listed(self, account: str) -> Sequence[ListedToken]:
        """The tokens of an account that can be used, the newest first; others leave the list."""
        raw: Any = self._redis.hgetall(self._list_name(account))
        found = [ListedToken(**json.loads(text)) for text in raw.values()]
        pipe = self._redis.pipeline(transaction=False)
        for each in found:
            pipe.exists(redis_keys.token(each.id))
        usable = dict(zip((each.id for each in found), pipe.execute(), strict=True))
        gone = [each.id for each in found if not usable[each.id]]
        if gone:
            self._redis.hdel(self._list_name(account), *gone)
        return sorted((e for e in found if usable[e.id]), key=lambda each: -each.made)

    def revoke(self, account: str, token_id: str) -> bool:
        """Forget a token of an account; returns whether there was one."""
        # Only what is in the account's own list can be named.
        if not self._redis.hdel(self._list_name(account), token_id):
            return False
        self._redis.delete(redis_keys.token(token_id))
        return True

    def _list_name(self, account: str) -> str:
        text = f"tokens of {account.casefold()}".encode("utf-8", "surrogateescape")
        return redis_keys.tokens(hmac.new(self._key, text, "sha256").hexdigest())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
