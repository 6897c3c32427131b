"""How branches are named in keys of Redis, and as members of sets."""

from __future__ import annotations


def branch_id(repository: str, branch: str) -> str:
    """How a branch is named inside keys and as a member of sets.

    :param repository: ``owner/name``.
    :param branch: without ``refs/heads/``.
    """
    return f"{repository}\n{branch}"


def split_branch_id(raw: bytes) -> tuple[str, str]:
    """Repository and branch of a :func:`branch_id` as Redis returns it."""
    repository, _, branch = raw.decode("utf-8", "surrogateescape").partition("\n")
    return repository, branch
