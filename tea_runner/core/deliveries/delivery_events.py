"""What webhook deliveries announce, and how their bodies are read.

A delivery is only a hint: three facts are kept (repository, ref, new tip).  A valid delivery that
starts nothing is :class:`Ignored`, a value with its reason; an invalid one is :class:`DeliveryError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import TeaError
from tea_runner.core.git.branch_kinds import ANNEX_BRANCH, is_ref_name, maintainer

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: Reason for which the delivery of a hook's test button is ignored.
TEST_DELIVERY = "a test: the branch did not move"
#: Limit of the numbers of pull requests.
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


#: What a correct delivery announces.
DeliveryEvent = PushEvent | PullRequestEvent | Ignored


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


def push_event(
    repository: str, repository_id: int | None, ref: str, before: object, after: str
) -> PushEvent | Ignored:
    """The push of a ref, or why it starts nothing.

    :param before: the former tip; the same as *after* in the test deliveries of Gitea.
    :raises DeliveryError: when ref or commit are malformed.
    """
    check_ref(ref)
    if not _COMMIT.fullmatch(after):
        raise DeliveryError(400, "after: expected the full id of a commit in lower case")
    # With git-annex's branch content may have come that other branches wait for.
    reason = "" if ref == f"refs/heads/{ANNEX_BRANCH}" else reason_to_ignore(ref)
    is_test = not reason and before == after
    if reason or is_test:
        return Ignored(
            reason=reason or TEST_DELIVERY,
            repository=repository,
            repository_id=repository_id,
            is_test=is_test,
        )
    return PushEvent(
        repository=repository,
        repository_id=repository_id,
        ref=ref,
        after=after,
        deleted=set(after) == {"0"},
    )


def pull_request_event(
    repository: str, repository_id: int | None, number: object
) -> PullRequestEvent:
    """A change of a pull request: its number alone is taken from the payload.

    :raises DeliveryError: when it is no number.
    """
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < _NUMBERS:
        raise DeliveryError(400, "number: expected the number of a pull request")
    return PullRequestEvent(repository=repository, repository_id=repository_id, number=number)


def read_object(event: str, body: bytes) -> Mapping[str, Any]:
    """The JSON object of a body; what two parsers could read differently is refused (duplicate keys, NaN).

    :raises DeliveryError: when it is none.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DeliveryError(400, "not a push event: the body is not UTF-8") from error
    try:
        found = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except DeliveryError:
        raise
    except RecursionError as error:
        raise DeliveryError(400, "not a push event: nested too deeply") from error
    except ValueError as error:
        raise DeliveryError(400, "not a push event: the body is not JSON") from error
    if not isinstance(found, dict):
        raise DeliveryError(400, f"not a {event} event: the body is not a JSON object")
    return found


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise DeliveryError(400, "duplicate key in the body")
    return unique


def _refuse_constant(name: str) -> NoReturn:
    raise DeliveryError(400, f"not a push event: {name} is not JSON")


def read_text(payload: Mapping[str, Any], name: str, max_length: int) -> str:
    """A string of the payload.

    :raises DeliveryError: when it is none, or longer than *max_length* characters.
    """
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


def check_repository(field: str, name: object, number: object) -> tuple[str, int | None]:
    """Full name and number of a repository.

    :param field: where the payload has them, for messages.
    :raises DeliveryError: when they are malformed.
    """
    if not isinstance(name, str):
        raise DeliveryError(400, f"{field}: expected a string")
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        raise DeliveryError(400, "repository.id: expected a whole number")
    if not is_repository_name(name):
        raise DeliveryError(404, "no such repository for this hook")
    return name, number


def read_part(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object of the payload.

    :raises DeliveryError: when it is none.
    """
    found = payload.get(name)
    if not isinstance(found, dict):
        raise DeliveryError(400, f"{name}: expected an object")
    return found


def check_ref(ref: str) -> None:
    """:raises DeliveryError: when this is no full name of a ref."""
    if not is_ref_name(ref):
        raise DeliveryError(400, "ref: not a full ref name")
