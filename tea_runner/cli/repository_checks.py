"""Checks of the watched repositories on the forge; no function raises an error."""

from __future__ import annotations

from collections.abc import Iterator

from tea_runner.cli.installation_checks import Finding
from tea_runner.core.errors import TeaError
from tea_runner.wiring import Site

#: Repositories that are looked at.
_MOST = 50
#: Names of branches that are listed.
_NAMES = 10


def check_repositories(site: Site) -> Iterator[Finding]:
    """Check each watched repository, with the forge's answers of the last minute."""
    try:
        watched = site.watched()
    except TeaError as error:
        yield Finding("repositories", "warning", error.message)
        return
    for repository in watched[:_MOST]:
        yield check_trust(site, repository)
    if len(watched) > _MOST:
        text = f"{len(watched)} are watched; the first {_MOST} were looked at"
        yield Finding("repositories", "ok", text)


def check_trust(site: Site, repository: str) -> Finding:
    """Name the trusted branches, and whether the default branch is one that the forge protects."""
    name = f"trust {repository}"
    listed = site.settings.trusted_branches
    if listed:
        return Finding(name, "ok", f"{', '.join(listed)}, as the settings say")
    try:
        found = site.forge_facts.branch_protection(repository)
    except TeaError as error:
        return Finding(name, "warning", f"{error.message}; until it answers, nothing is planned")
    names = ", ".join(found.trusted[:_NAMES]) or "no branch"
    if len(found.trusted) > _NAMES:
        names += f" and {len(found.trusted) - _NAMES} more"
    if found.default not in found.branches:
        text = f"the default branch {found.default} does not exist; choose another one on the forge"
        return Finding(name, "warning", f"{names}; {text}")
    if found.default not in found.protected:
        text = f"everybody who may push decides what {found.default} reuses; protect it where the forge can"
        return Finding(name, "warning", f"{names}; {text}")
    return Finding(name, "ok", f"{names}, as the forge says")
