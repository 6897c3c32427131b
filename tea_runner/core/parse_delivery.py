"""Verify webhook deliveries and parse them into push events.

A delivery is only a hint: three facts are kept (repository, ref, new tip).  A valid delivery that
starts nothing is :class:`Ignored`, a value with its reason; an invalid one is :class:`DeliveryError`.
Formats: Gitea's ``services/webhook/deliver.go`` and ``modules/structs/hook.go``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from tea_runner.core.errors import TeaError
from tea_runner.core.git.branch_kinds import ANNEX_BRANCH, is_ref_name, maintainer
from tea_runner.core.registered_webhook import is_repository_name

_SIGNATURE = re.compile(rb"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: Reason for which the delivery of a hook's test button is ignored.
TEST_DELIVERY = "a test: the branch did not move"
#: Changes of a pull request that count, and the limit of its numbers.
_ACTIONS = ("opened", "reopened", "closed", "synchronized", "edited")
_NUMBERS = 10**9
#: Branch names that tea-runner supports; git allows more.
_BRANCH = re.compile(r"[A-Za-z0-9._/+=@#,-]{1,200}")


class DeliveryError(TeaError):
    """The delivery is invalid."""

    failure_class = "refused"

    def __init__(self, http_status: int, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status


@dataclass(frozen=True, kw_only=True)
class PushEvent:
    """A push moved the tip of a branch.

    :param repository_id: the forge's number of the repository, if it has numbers.
    :param ref: ``refs/heads/…``.
    :param after: full id of the new tip; all zeros when the branch was deleted.
    """

    repository: str
    repository_id: int | None
    ref: str
    after: str
    deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class PullRequestEvent:
    """A pull request was opened, closed or changed, or has new commits."""

    repository: str
    repository_id: int | None
    number: int


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """A valid delivery that starts nothing; *repository* is empty when the body was not read."""

    reason: str
    repository: str = ""
    repository_id: int | None = None
    #: Whether it is the test delivery of a forge: a push that moved nothing.
    is_test: bool = False


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The names of one forge's headers."""

    event: str
    delivery: str
    signature: str


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


def is_signed(body: bytes, signature: str, secrets: Sequence[str]) -> bool:
    """Whether *signature* is the HMAC-SHA256 of the body with one of the active secrets.

    All secrets are compared in constant time.  An empty secret never matches: forges without a
    secret send the header too.
    """
    try:
        given = signature.encode("ascii")
    except UnicodeEncodeError:
        return False
    well_formed = _SIGNATURE.fullmatch(given) is not None
    matches = False
    for secret in secrets:
        if secret:
            expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
            matches |= hmac.compare_digest(expected, given)
    return matches and well_formed


def parse_delivery(event: str, body: bytes) -> PushEvent | PullRequestEvent | Ignored:
    """Parse a correctly signed delivery.

    :param event: the forge's name of the event, from the header.
    :raises DeliveryError: when the body is malformed.
    """
    if event not in ("push", "delete", "pull_request"):
        return Ignored(reason=f"event {event[:40]!r}" if event else "event missing")
    payload = _read(body)
    if not isinstance(payload, dict):
        raise DeliveryError(400, f"not a {event} event: the body is not a JSON object")
    repository, number = _repository(payload)
    if event == "pull_request":
        return _pull_request(payload, repository, number)
    ref = _text(payload, "ref", 1000)
    if event == "delete":
        return _deleted(payload, repository, number, ref)
    _check_ref(ref)
    after, before = _text(payload, "after", 64), payload.get("before")
    if not _COMMIT.fullmatch(after):
        raise DeliveryError(400, "after: expected the full id of a commit in lower case")
    # With git-annex's branch content may have come that other branches wait for.
    reason = "" if ref == f"refs/heads/{ANNEX_BRANCH}" else reason_to_ignore(ref)
    is_test = not reason and before == after
    if reason or is_test:
        return Ignored(
            reason=reason or TEST_DELIVERY,
            repository=repository,
            repository_id=number,
            is_test=is_test,
        )
    return PushEvent(
        repository=repository,
        repository_id=number,
        ref=ref,
        after=after,
        deleted=set(after) == {"0"},
    )


def reason_to_ignore(ref: str) -> str:
    """The reason to ignore pushes to this ref; empty for an ordinary branch."""
    if not ref.startswith("refs/heads/"):
        return "not a branch"
    name = ref.removeprefix("refs/heads/")
    if program := maintainer(name):
        return f"branch {name} is maintained by {program}"
    if not _BRANCH.fullmatch(name) or name.startswith("-") or {"HEAD", "@"} & set(name.split("/")):
        return "unsupported characters in the branch name"
    return ""


def _pull_request(
    payload: Mapping[str, Any], repository: str, repository_id: int | None
) -> PullRequestEvent | Ignored:
    """A pull request: its number alone is taken from the payload."""
    if payload.get("action") not in _ACTIONS:
        reason = "nothing of the pull request that counts has changed"
        return Ignored(reason=reason, repository=repository, repository_id=repository_id)
    number = payload.get("number")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < _NUMBERS:
        raise DeliveryError(400, "number: expected the number of a pull request")
    return PullRequestEvent(repository=repository, repository_id=repository_id, number=number)


def _deleted(
    payload: Mapping[str, Any], repository: str, number: int | None, ref: str
) -> PushEvent | Ignored:
    """The deletion of a branch: Gitea sends its short name, Forgejo the full ref."""
    if payload.get("ref_type") != "branch":
        return Ignored(reason="not a branch", repository=repository, repository_id=number)
    full = ref if ref.startswith("refs/heads/") else f"refs/heads/{ref}"
    _check_ref(full)
    reason = reason_to_ignore(full)
    if reason:
        return Ignored(reason=reason, repository=repository, repository_id=number)
    return PushEvent(
        repository=repository, repository_id=number, ref=full, after="0" * 40, deleted=True
    )


def _read(body: bytes) -> object:
    """Parse UTF-8 JSON; refuse what two parsers could read differently (duplicate keys, NaN)."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DeliveryError(400, "not a push event: the body is not UTF-8") from error
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except DeliveryError:
        raise
    except RecursionError as error:
        raise DeliveryError(400, "not a push event: nested too deeply") from error
    except ValueError as error:
        raise DeliveryError(400, "not a push event: the body is not JSON") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise DeliveryError(400, "duplicate key in the body")
    return unique


def _refuse_constant(name: str) -> NoReturn:
    raise DeliveryError(400, f"not a push event: {name} is not JSON")


def _text(payload: Mapping[str, Any], name: str, max_length: int) -> str:
    value = payload.get(name)
    if not isinstance(value, str):
        raise DeliveryError(400, f"{name}: expected a string")
    if len(value) > max_length:
        raise DeliveryError(400, f"{name}: longer than {max_length} characters")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DeliveryError(400, f"{name}: not valid Unicode") from error
    return value


def _repository(payload: Mapping[str, Any]) -> tuple[str, int | None]:
    repository = payload.get("repository")
    if not isinstance(repository, dict):
        raise DeliveryError(400, "repository: expected an object")
    name = repository.get("full_name")
    if not isinstance(name, str):
        raise DeliveryError(400, "repository.full_name: expected a string")
    number = repository.get("id")
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        raise DeliveryError(400, "repository.id: expected a whole number")
    if not is_repository_name(name):
        raise DeliveryError(404, "no such repository for this hook")
    return name, number


def _check_ref(ref: str) -> None:
    if not is_ref_name(ref):
        raise DeliveryError(400, "ref: not a full ref name")
