"""Proofs that a request comes from who may send events: HMAC, bearer token, address."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

_PREFIX = "sha256="
_BEARER = "bearer "


@dataclass(frozen=True, kw_only=True)
class SenderProof:
    """What a request has to show; without anything to show, none is accepted.

    :param secrets: of the HMAC-SHA256 of the body; several during a rotation.
    :param tokens: in ``Authorization: Bearer``.
    :param addresses: networks that requests may come from; empty for all.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    tokens: tuple[str, ...] = field(default=(), repr=False)
    addresses: tuple[str, ...] = ()

    def holds(self, body: bytes, *, signature: str, authorization: str, address: str) -> bool:
        """Whether a request shows all that is asked for.

        :param address: of the other end of the connection; no header counts.
        """
        if not (self.secrets or self.tokens or self.addresses):
            return False
        shown = not self.addresses or _is_among(address, self.addresses)
        if self.secrets:
            shown &= _is_signed(body, signature, self.secrets)
        if self.tokens:
            shown &= _has_token(authorization, self.tokens)
        return shown


def _is_signed(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    given = signature.strip().lower().removeprefix(_PREFIX)
    return _is_one_of(
        given, (hmac.new(each.encode(), body, hashlib.sha256).hexdigest() for each in secrets)
    )


def _has_token(authorization: str, tokens: Iterable[str]) -> bool:
    is_bearer = authorization[: len(_BEARER)].lower() == _BEARER
    return is_bearer and _is_one_of(authorization[len(_BEARER) :].strip(), tokens)


def _is_one_of(given: str, expected: Iterable[str]) -> bool:
    """Whether the text is one of these, compared in constant time; nothing equals the empty text."""
    sent = given.encode("utf-8", "replace")
    found = False
    for each in expected:
        found |= bool(each) and hmac.compare_digest(sent, each.encode())
    return found


def _is_among(address: str, networks: Iterable[str]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return any(found in ip_network(each) for each in networks)
