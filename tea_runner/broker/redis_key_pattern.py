"""Families of keys in Redis: a name with parts, the module that writes it, its type and time to live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, ParamSpec

PREFIX = "tea:"

Shape = Literal["string", "hash", "set", "sorted set", "list"]
P = ParamSpec("P")

#: A key without a time to live.
NO_EXPIRY = 0


@dataclass(frozen=True, kw_only=True)
class RedisKeyPattern(Generic[P]):
    """Keys of one kind.  Calling it with their variable parts returns a key's name."""

    suffix: Callable[P, str]
    shape: Shape
    #: Module of this package that writes it.
    owner: str
    #: Time to live in seconds, from the last write; :data:`NO_EXPIRY` for none.
    ttl: int

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Name of the key with these parts."""
        return PREFIX + self.suffix(*args, **kwargs)


#: Every key family by the name of its function.
FAMILIES: dict[str, RedisKeyPattern[...]] = {}


def redis_key_pattern(
    shape: Shape, owner: str, ttl: int = NO_EXPIRY
) -> Callable[[Callable[P, str]], RedisKeyPattern[P]]:
    """Make a family of a function that joins the parts, and add it to :data:`FAMILIES`."""

    def register(suffix: Callable[P, str]) -> RedisKeyPattern[P]:
        family = RedisKeyPattern(suffix=suffix, shape=shape, owner=owner, ttl=ttl)
        FAMILIES[suffix.__name__] = family
        return family

    return register
