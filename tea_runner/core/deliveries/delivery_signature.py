"""How each forge names and signs its webhook deliveries."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

_SIGNATURE = re.compile(rb"[0-9a-f]{64}")
_PREFIX = "sha256="
#: hmac: HMAC-SHA256 of the body, in hex.  prefixed: the same after ``sha256=``.  token: the secret itself.
Proof = Literal["hmac", "prefixed", "token"]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The names of one forge's headers, and what its signature header holds."""

    event: str
    delivery: str
    signature: str
    proof: Proof = "hmac"


#: Forgejo also sends Gitea's headers, so its own come first.
DIALECTS: Mapping[str, tuple[Dialect, ...]] = {
    "gitea": (
        Dialect(
            event="X-Forgejo-Event",
            delivery="X-Forgejo-Delivery",
            signature="X-Forgejo-Signature",
        ),
        Dialect(event="X-Gitea-Event", delivery="X-Gitea-Delivery", signature="X-Gitea-Signature"),
    ),
    "gogs": (
        Dialect(event="X-Gogs-Event", delivery="X-Gogs-Delivery", signature="X-Gogs-Signature"),
    ),
    "github": (
        Dialect(
            event="X-GitHub-Event",
            delivery="X-GitHub-Delivery",
            signature="X-Hub-Signature-256",
            proof="prefixed",
        ),
    ),
    "bitbucket": (
        Dialect(
            event="X-Event-Key",
            delivery="X-Request-Id",
            signature="X-Hub-Signature",
            proof="prefixed",
        ),
    ),
    "gitlab": (
        Dialect(
            event="X-Gitlab-Event",
            delivery="X-Gitlab-Event-UUID",
            signature="X-Gitlab-Token",
            proof="token",
        ),
    ),
}


class Headers(Protocol):
    """Case-insensitive headers of a request."""

    def __contains__(self, name: str, /) -> bool: ...

    def get(self, name: str, default: str, /) -> str:
        """The header's value; repeated headers are joined by commas."""
        ...


def dialect(forge: str, headers: Headers) -> Dialect:
    """The dialect of *forge* whose signature header the delivery has."""
    dialects = DIALECTS[forge]
    return next((each for each in dialects if each.signature in headers), dialects[-1])


def is_signed(body: bytes, signature: str, secrets: Sequence[str], proof: Proof = "hmac") -> bool:
    """Whether *signature* proves that the sender knows one of the active secrets.

    All secrets are compared in constant time.  An empty secret never matches: forges without a
    secret send the header too.
    """
    if proof == "prefixed":
        if not signature.startswith(_PREFIX):
            return False
        signature = signature.removeprefix(_PREFIX)
    try:
        given = signature.encode("ascii")
    except UnicodeEncodeError:
        return False
    well_formed = proof == "token" or _SIGNATURE.fullmatch(given) is not None
    matches = False
    for secret in secrets:
        if secret:
            expected = secret.encode()
            if proof != "token":
                expected = hmac.new(expected, body, hashlib.sha256).hexdigest().encode()
            matches |= hmac.compare_digest(expected, given)
    return matches and well_formed
