"""What one hook may announce: its forge, its repositories, its secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

#: Owner and name as Gitea and Forgejo allow them; no part is ``.`` or ``..``.
_REPOSITORY = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,100}/(?!\.\.?$)[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class Hook:
    """One address that a forge delivers to.

    :param id: unguessable; it selects the secrets, so that nothing in a body chooses its own judge.
    :param repository: ``owner/name``, or ``owner/*``.
    :param repository_id: the forge's number, where the hook is for one repository and the forge has
        numbers: a repository that takes over a name is not the same one.
    :param secrets: all that are active; several while one is being replaced.
    :param forge_hook: the forge's own name of it, to remove it there.
    """

    id: str
    forge: str
    repository: str
    repository_id: int | None = None
    secrets: tuple[str, ...] = field(repr=False)
    forge_hook: str = ""


def is_repository(name: str) -> bool:
    """Whether this can be the full name of a repository."""
    return _REPOSITORY.fullmatch(name) is not None


def names(pattern: str, repository: str) -> bool:
    """Whether the pattern (``owner/name``, ``owner/*``, ``*/*``) names this repository."""
    owner, slash, name = pattern.partition("/")
    own_owner, _, own_name = repository.partition("/")
    return bool(slash) and fnmatchcase(own_owner, owner) and fnmatchcase(own_name, name)


@dataclass(frozen=True, kw_only=True)
class ForgeHook:
    """A hook as the forge knows it; forges never give the secret back."""

    id: str
    url: str
    active: bool = True
