"""Webhooks: what a delivery to one address may announce, and the hook as the forge lists it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

#: Owner and name as Gitea and Forgejo allow them; no part is ``.`` or ``..``.  Bitbucket writes ``~`` before
#: the name of a person whose repositories these are.
_REPOSITORY = re.compile(
    r"(?:~(?=[A-Za-z0-9]))?(?!\.)[A-Za-z0-9._-]{1,100}/(?!\.\.?$)[A-Za-z0-9._-]{1,100}"
)


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """One webhook address of the receiver, with its repositories and secrets.

    :param id: unguessable part of the address.  It selects the secrets, so that a delivery's body
        cannot choose by which secret it is verified.
    :param repository: ``owner/name``, or ``owner/*``.
    :param repository_id: the forge's number of the repository, for hooks of a single repository: a
        repository that takes over a name has another number.
    :param secrets: all active secrets; several during a rotation.
    :param forge_hook: the forge's own id of the hook, to delete it there.
    """

    id: str
    forge: str
    repository: str
    repository_id: int | None = None
    secrets: tuple[str, ...] = field(repr=False)
    forge_hook: str = ""


@dataclass(frozen=True, kw_only=True)
class ListedWebhook:
    """A webhook as the forge lists it; forges never return the secret."""

    id: str
    url: str
    active: bool = True


def is_repository_name(name: str) -> bool:
    """Whether this can be the full name (``owner/name``) of a repository."""
    return _REPOSITORY.fullmatch(name) is not None


def matches_repository(pattern: str, repository: str) -> bool:
    """Whether a pattern (``owner/name``, ``owner/*``, ``*/*``) matches a repository's full name."""
    owner, slash, name = pattern.partition("/")
    own_owner, _, own_name = repository.partition("/")
    return bool(slash) and fnmatchcase(own_owner, owner) and fnmatchcase(own_name, name)
