"""The bytes of a delivery in, a push in no forge's dialect out, or why not.

A delivery is a hint: three facts of it are kept (repository, ref, new tip).  What is fine but not
for us is :class:`Ignored`, a value with its reason; what is wrong is :class:`DeliveryError`.
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
from tea_runner.core.git.branch import belongs_to_annex
from tea_runner.core.hook import is_repository_name

_SIGNATURE = re.compile(rb"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: Why the delivery of a hook's test button starts nothing.
TEST_DELIVERY = "a test: nothing moved"
#: Branch names that tea-runner takes; git allows more.
_BRANCH = re.compile(r"[A-Za-z0-9._/+=@#,-]{1,200}")
#: What git's check-ref-format forbids anywhere in a name.
_ILLEGAL = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|^/|\.$|\.lock(/|$)|(^|/)\.")


class DeliveryError(TeaError):
    """The delivery cannot be used."""

    failure_class = "refused"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class PushEvent:
    """The tip of a branch moved.

    :param repository_id: the forge's number of the repository, where it has numbers.
    :param ref: ``refs/heads/…``.
    :param after: full id of the new tip; all zeros when the branch was deleted.
    """

    repository: str
    repository_id: int | None
    ref: str
    after: str
    deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """Nothing to do, and why; *repository* is empty where the body was not read."""

    reason: str
    repository: str = ""
    repository_id: int | None = None
    #: Whether it is the test delivery of a forge: a push that moved nothing.
    is_test: bool = False


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The names of the headers of one forge."""

    event: str
    delivery: str
    signature: str


#: Forgejo sends Gitea's headers as well, so its own are looked for first.
DIALECTS: Mapping[str, tuple[Dialect, ...]] = {
    "gitea": (
        Dialect(
            event="X-Forgejo-Event",
            delivery="X-Forgejo-Delivery",
            signature="X-Forgejo-Signature",
        ),
        Dialect(event="X-Gitea-Event", delivery="X-Gitea-Delivery", signature="X-Gitea-Signature"),
    ),
}


class Headers(Protocol):
    """The headers of a request, looked up without regard to case."""

    def __contains__(self, name: str, /) -> bool: ...

    def get(self, name: str, default: str, /) -> str:
        """The header's value; all of them, joined by commas, where it came more than once."""
        ...


def dialect(forge: str, headers: Headers) -> Dialect:
    """The dialect that this delivery speaks, of those that *forge* has."""
    spoken = DIALECTS[forge]
    return next((each for each in spoken if each.signature in headers), spoken[-1])


def is_signed(body: bytes, signature: str, secrets: Sequence[str]) -> bool:
    """Whether the signature is that of one active secret over exactly these bytes.

    Every secret is tried, whatever the others gave, in constant time.  An empty secret signs
    nothing: forges that have none send the header all the same.
    """
    try:
        given = signature.encode("ascii")
    except UnicodeEncodeError:
        return False
    well_formed = _SIGNATURE.fullmatch(given) is not None
    found = False
    for secret in secrets:
        if secret:
            right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
            found |= hmac.compare_digest(right, given)
    return found and well_formed


def parse_delivery(event: str, body: bytes) -> PushEvent | Ignored:
    """What a correctly signed delivery says.

    :param event: the forge's name of the event, from the header.
    :raises DeliveryError: when it says nothing that can be understood.
    """
    if event not in ("push", "delete"):
        return Ignored(reason=f"event {event[:40]!r}" if event else "event missing")
    said = _read(body)
    if not isinstance(said, dict):
        raise DeliveryError(400, f"not a {event} event: the body is no JSON object")
    repository, number = _repository(said)
    ref = _text(said, "ref", 1000)
    if event == "delete":
        return _deleted(said, repository, number, ref)
    _legal(ref)
    after, before = _text(said, "after", 64), said.get("before")
    if not _COMMIT.fullmatch(after):
        raise DeliveryError(400, "after: expected the full id of a commit in lower case")
    reason = reason_to_ignore(ref)
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
    """Why pushes to this ref start nothing; empty for a branch that people work on."""
    if not ref.startswith("refs/heads/"):
        return "not a branch"
    name = ref.removeprefix("refs/heads/")
    if belongs_to_annex(name):
        return f"{name.partition('/')[0]} belongs to git-annex"
    if not _BRANCH.fullmatch(name) or name.startswith("-") or {"HEAD", "@"} & set(name.split("/")):
        return "a branch name with characters that tea-runner does not take"
    return ""


def _deleted(
    said: Mapping[str, Any], repository: str, number: int | None, ref: str
) -> PushEvent | Ignored:
    """Gitea names the branch in short, Forgejo in full."""
    if said.get("ref_type") != "branch":
        return Ignored(reason="not a branch", repository=repository, repository_id=number)
    full = ref if ref.startswith("refs/heads/") else f"refs/heads/{ref}"
    _legal(full)
    reason = reason_to_ignore(full)
    if reason:
        return Ignored(reason=reason, repository=repository, repository_id=number)
    return PushEvent(
        repository=repository, repository_id=number, ref=full, after="0" * 40, deleted=True
    )


def _read(body: bytes) -> object:
    """JSON in UTF-8, without what two readers could read differently."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DeliveryError(400, "not a push event: the body is not UTF-8") from error
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except DeliveryError:
        raise
    except RecursionError as error:
        raise DeliveryError(400, "not a push event: nested too deeply") from error
    except ValueError as error:
        raise DeliveryError(400, "not a push event: the body is not JSON") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise DeliveryError(400, "duplicate key in the body")
    return made


def _no_constant(name: str) -> NoReturn:
    raise DeliveryError(400, f"not a push event: {name} is not JSON")


def _text(said: Mapping[str, Any], name: str, longest: int) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        raise DeliveryError(400, f"{name}: expected a text")
    if len(value) > longest:
        raise DeliveryError(400, f"{name}: longer than {longest} characters")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DeliveryError(400, f"{name}: not valid Unicode") from error
    return value


def _repository(said: Mapping[str, Any]) -> tuple[str, int | None]:
    repository = said.get("repository")
    if not isinstance(repository, dict):
        raise DeliveryError(400, "repository: expected an object")
    name = repository.get("full_name")
    if not isinstance(name, str):
        raise DeliveryError(400, "repository.full_name: expected a text")
    number = repository.get("id")
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        raise DeliveryError(400, "repository.id: expected a whole number")
    if not is_repository_name(name):
        raise DeliveryError(404, "no such repository for this hook")
    return name, number


def _legal(ref: str) -> None:
    if not ref.startswith("refs/") or _ILLEGAL.search(ref):
        raise DeliveryError(400, "ref: not the full name of a ref")
