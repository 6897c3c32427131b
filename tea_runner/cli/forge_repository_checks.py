"""Checks of the watched repositories on the forge; no function raises an error."""

from __future__ import annotations

from collections.abc import Iterator

from tea_runner.cli.installation_checks import Finding
from tea_runner.core.errors import Refused, TeaError
from tea_runner.core.git.branch_kinds import PULL_REQUEST_PREFIX, RESULTS_PREFIX
from tea_runner.core.git.ref_obstacles import ref_obstacles
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
    for repository in watched[:1]:
        yield check_git_access(site, repository)
    for repository in watched[:_MOST]:
        yield check_trust(site, repository)
        yield from check_refs(site, repository)
        yield from check_results_storage(site, repository)
    yield from check_storages(site)
    if len(watched) > _MOST:
        text = f"{len(watched)} are watched; the first {_MOST} were looked at"
        yield Finding("repositories", "ok", text)


def check_git_access(site: Site, repository: str) -> Finding:
    """List the branches of a repository with git, whose network may differ from that of the API."""
    name = f"git {repository}"
    try:
        branches = site.repository(repository).mirror.ls_remote("refs/heads/*")
    except TeaError as error:
        hint = "; see forge.ca_file" if "certificate" in error.message else ""
        return Finding(name, "error", f"{error.message}{hint}")
    return Finding(name, "ok", f"{len(branches)} branches")


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
    if not found.default:
        text = "the forge names no default branch; choose one there"
        return Finding(name, "warning", f"{names}; {text}")
    if found.default not in found.branches:
        text = f"the default branch {found.default} does not exist; choose another one on the forge"
        return Finding(name, "warning", f"{names}; {text}")
    if found.default not in found.protected:
        text = f"everybody who may push decides what {found.default} reuses; protect it where the forge can"
        return Finding(name, "warning", f"{names}; {text}")
    return Finding(name, "ok", f"{names}, as the forge says")


def check_refs(site: Site, repository: str) -> Iterator[Finding]:
    """Name refs that are in the way of results, other than those that are removed by themselves."""
    try:
        refs = site.forge.refs(repository, "refs/")
        if refs is None:
            refs = site.repository(repository).mirror.ls_remote()
    except TeaError as error:
        yield Finding(f"refs {repository}", "warning", error.message)
        return
    wanted = [ref for ref in refs if ref.startswith("refs/heads/")]
    wanted += [f"refs/heads/{PULL_REQUEST_PREFIX}1"] if site.settings.pull_requests else []
    wanted += [
        "refs/heads/git-annex",
        "refs/tea/jobs/1",
        "refs/tea/scopes/1",
        "refs/tea/approvals/1",
        "refs/tea/beside/1",
        "refs/tea/kept/1",
        "refs/tea/outputs/1/1",
        "refs/tea/ticks/1",
        f"refs/heads/{RESULTS_PREFIX}1",
    ]
    obstacles = {each.ref: each for each in ref_obstacles(wanted, refs.keys())}
    for each in list(obstacles.values())[:_NAMES]:
        if each.kind == "name" or not each.is_ours:
            yield Finding(f"refs {repository}", "warning", f"{each}; {each.hint}")


def check_results_storage(site: Site, repository: str) -> Iterator[Finding]:
    """Name the storages of a repository that take no results; nothing if this host has no mirror of it."""
    name = f"results of {repository}"
    dataset = site.repository(repository)
    try:
        if not dataset.mirror.git_dir.exists():
            return
        uuid = dataset.storage_uuid()
        for each in dataset.remotes.refusals:
            yield Finding(name, "ok", f"{each}; they go to {uuid}")
    except Refused as error:
        yield Finding(name, "error", str(error))
    except TeaError as error:
        yield Finding(name, "warning", str(error))
    finally:
        dataset.close()


def check_storages(site: Site) -> Iterator[Finding]:
    """Check that repositories with different readers share no storage, unless it lists them."""
    places: dict[tuple[object, ...], str] = {}
    for storage in site.settings.storage:
        name = f"storage {storage.name}"
        place = (storage.type, storage.options)
        if storage.options and place in places:
            text = (
                f"it is the same place as storage {places[place]}; give each its own, or keep one"
            )
            yield Finding(name, "warning", text)
        places.setdefault(place, storage.name)
        users = site.storage_users(storage.name)
        if storage.repositories or len(users) < 2 or storage.name == "origin":
            continue
        try:
            apart = _with_other_readers(site, users)
        except TeaError as error:
            yield Finding(name, "warning", error.message)
            continue
        if apart:
            text = (
                f"{users[0]} and {apart} use it and have different readers; give each a storage of its "
                f"own, or write repositories into this [[storage]]"
            )
            yield Finding(name, "error", text)


def _with_other_readers(site: Site, users: list[str]) -> str:
    """The first of these repositories whose readers are not those of the first one; empty if none is.

    :raises OutsideError: when the forge does not say who may read them.
    """
    first = users[0]
    for other in users[1:]:
        if site.lacking_readers(first, other) or site.lacking_readers(other, first):
            return other
    return ""
