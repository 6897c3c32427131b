"""Push refs to the forge by compare-and-swap, also past refs that somebody put in the way."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from tea_runner.core.errors import CommandError, OutsideError
from tea_runner.core.git.ref_obstacles import RefObstacle, ref_obstacles
from tea_runner.dataset.git_repository import PARTIAL_CLONE
from tea_runner.ports.dataset import RefUpdate

log = logging.getLogger(__name__)

#: Local refs for one push, whose names git cannot take for others.
_PUSHED = "refs/push/"
#: Characters of what a forge says about a refused push.
_LONGEST_REFUSAL = 500


class PushRepository(Protocol):
    """The mirror from which refs are pushed."""

    url: str

    def git(self, *arguments: str, stdin: bytes | None = None, why: str = "") -> bytes:
        """Run git in it."""
        ...

    def ls_remote(self, *patterns: str) -> dict[str, str]:
        """Refs of the forge's repository."""
        ...

    def refs(self, prefix: str) -> dict[str, str]:
        """Its own refs."""
        ...

    def update(self, lines: Sequence[str]) -> None:
        """Update its own refs."""
        ...

    def moving_refs(self, act: Callable[[], object]) -> None:
        """Do something that updates its own refs."""
        ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """A lock between processes of this host."""
        ...


def push_refs(mirror: PushRepository, updates: Sequence[RefUpdate]) -> bool:
    """Update refs on the forge, all or none, each only from its expected value.

    Refs of others below ``refs/tea`` and ``refs/heads/tea/results`` that are in the way are deleted.

    :returns: False when a ref had another value, so that nothing was updated.
    :raises OutsideError: when the forge declined or could not be reached, or a ref of somebody is in the
        way.
    """
    try:
        _push(mirror, updates, [f"{new}:{ref}" for ref, new, _ in updates])
    except CommandError as error:
        done = _compare(mirror, updates, error)
        if done is not None:
            return done
        obstacles = ref_obstacles([ref for ref, _, _ in updates], mirror.ls_remote().keys())
        if obstacles:
            return _push_past(mirror, updates, obstacles)
        if "cannot lock ref" in error.stderr or "stale info" in error.stderr:
            return False
        refusal = _refusal(error)
        if refusal:
            names = ", ".join(ref.removeprefix("refs/heads/") for ref, _, _ in updates)
            raise OutsideError(
                f"the forge refused to take {names}: {refusal}", hint=_hint(refusal)
            ) from error
        raise
    return True


def _refusal(error: CommandError) -> str:
    """What the forge said about a push that it refused; empty where it said nothing."""
    text = f"{error.stderr}\n{error.stdout}"
    said = [
        line.removeprefix("remote:").strip().removeprefix("error:").strip()
        for line in text.splitlines()
        if line.startswith("remote:")
    ]
    said = [line for line in said if line and not line.startswith(". Processing")]
    # The reason stands in parentheses (git-push(1), "OUTPUT").
    reasons = re.findall(r"\[remote rejected\].*\(([^()]*)\)$", text, re.MULTILINE)
    return "; ".join(dict.fromkeys([*said, *reasons]))[:_LONGEST_REFUSAL]


def _hint(refusal: str) -> str:
    words = refusal.casefold()
    if "archived" in words:
        return "unarchive the repository, or take it out of repositories"
    if "protected" in words or "not allowed to push" in words:
        return "allow the bot to push to this branch in the forge's rules of branch protection"
    return "see the forge's rules and hooks of this repository"


def _push(mirror: PushRepository, updates: Sequence[RefUpdate], specs: Sequence[str]) -> None:
    leases = [f"--force-with-lease={ref}:{expected or ''}" for ref, _, expected in updates]
    arguments = ["push", "-q", "--atomic", "--porcelain", "--no-follow-tags", "--no-verify"]
    why = f"pushing to {mirror.url}"
    # git updates the remote-tracking refs of what it pushed.
    mirror.moving_refs(
        lambda: mirror.git(*PARTIAL_CLONE, *arguments, *leases, "origin", *specs, why=why)
    )


def _compare(
    mirror: PushRepository, updates: Sequence[RefUpdate], error: CommandError
) -> bool | None:
    """After a failed push, ask the forge for its refs: its answer may have been lost.

    None when all refs are as they were.
    """
    try:
        refs = mirror.ls_remote(*(ref for ref, _, _ in updates))
    except OutsideError as unanswered:
        raise error from unanswered
    if all(refs.get(ref, "") == new for ref, new, _ in updates):
        return True
    if any(refs.get(ref, "") != (expected or "") for ref, _, expected in updates):
        return False
    return None


def _push_past(
    mirror: PushRepository, updates: Sequence[RefUpdate], obstacles: Sequence[RefObstacle]
) -> bool:
    """Push again, after obstacles in our own folder are removed, and with names that are not ambiguous.

    :raises OutsideError: naming the obstacle that is left.
    """
    for ref in dict.fromkeys(o.ref for o in obstacles if o.kind == "folder" and o.is_ours):
        log.warning("deleting %s on %s: it is in the way of results", ref, mirror.url)
        _delete(mirror, ref)
    try:
        if any(each.kind == "name" for each in obstacles):
            _push_unambiguously(mirror, updates)
        else:
            _push(mirror, updates, [f"{new}:{ref}" for ref, new, _ in updates])
    except CommandError as error:
        done = _compare(mirror, updates, error)
        if done is not None:
            return done
        left = ref_obstacles([ref for ref, _, _ in updates], mirror.ls_remote().keys())
        if not left:
            return False
        raise OutsideError(str(left[0]), hint=left[0].hint) from error
    return True


def _delete(mirror: PushRepository, ref: str) -> None:
    try:
        _push(mirror, [(ref, "", mirror.ls_remote(ref).get(ref))], [f":{ref}"])
    except CommandError as error:
        log.warning("%s was not deleted: %s", ref, error.message)


def _push_unambiguously(mirror: PushRepository, updates: Sequence[RefUpdate]) -> None:
    """Push refs by a pattern, whose destinations git derives and does not look up.

    A pattern cannot delete: deletions are given by name.
    """
    folder = f"{_PUSHED}{secrets.token_hex(8)}/"
    deletions = [f":{ref}" for ref, new, _ in updates if not new]
    moved = [(ref, new) for ref, new, _ in updates if new]
    specs = [*([f"{folder}*:refs/*"] if moved else []), *deletions]
    push = _push_by_helper if mirror.url.startswith(("http://", "https://")) else _push
    # Under the lock no other process pushes so, and what is there was left by one that died.
    with mirror.lock("push"):
        left = [f"delete {ref}" for ref in mirror.refs(_PUSHED)]
        made = [f"create {folder}{ref.removeprefix('refs/')} {new}" for ref, new in moved]
        mirror.update([*left, *made])
        try:
            push(mirror, updates, specs)
        finally:
            mirror.update([f"delete {folder}{ref.removeprefix('refs/')}" for ref, _ in moved])


def _push_by_helper(
    mirror: PushRepository, updates: Sequence[RefUpdate], specs: Sequence[str]
) -> None:
    """Push by git's helper for HTTP, to which git-push(1) gives names in place of a pattern.

    The commands are those of gitremote-helpers(7).  It says for each ref whether the forge took it.

    :raises CommandError: when a ref was not taken.
    """
    lines = ["option verbosity 0", "option atomic true"]
    lines += [f"option cas {ref}:{expected or ''}" for ref, _, expected in updates]
    lines += [f"push {spec}" for spec in specs]
    program = f"remote-{mirror.url.partition(':')[0]}"
    stdin = "".join(f"{line}\n" for line in [*lines, "", ""]).encode("utf-8", "surrogateescape")
    why = f"pushing to {mirror.url}"
    out = mirror.git(*PARTIAL_CLONE, program, "origin", mirror.url, stdin=stdin, why=why)
    refused = [line for line in out.decode("utf-8", "replace").splitlines() if "error " in line]
    if refused:
        raise CommandError(("git", program), 1, "\n".join(refused), why=why)
