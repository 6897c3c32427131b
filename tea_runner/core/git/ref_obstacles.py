"""Refs of a forge that keep git from moving other refs.

A ref cannot be the folder of another: ``refs/tea/jobs`` excludes ``refs/tea/jobs/1``.  And git-push(1) takes
``refs/heads/main`` for ambiguous when there also is ``refs/heads/refs/heads/main``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from tea_runner.core.git.branch_kinds import RESULTS_PREFIX

#: Refs below these are only ours.
OURS = "refs/tea"
_RESULTS = f"refs/heads/{RESULTS_PREFIX}"
#: Where git looks for a name (gitrevisions(7)); a full name can be taken for the end of such a ref.
_PREFIXES = ("refs/heads/", "refs/tags/", "refs/remotes/", "refs/")


@dataclass(frozen=True, kw_only=True)
class RefObstacle:
    """A ref that is in the way of another one."""

    ref: str
    #: The ref that is wanted.
    wanted: str
    #: folder: one would be the folder of the other.  name: git takes one for the other.
    kind: Literal["folder", "name"]

    @property
    def is_ours(self) -> bool:
        """Whether only we use refs with such names, so that it may be deleted."""
        return self.ref == OURS or self.ref.startswith((f"{OURS}/", _RESULTS))

    def __str__(self) -> str:
        return f"ref {self.ref} on the forge is in the way of {self.wanted}"

    @property
    def hint(self) -> str:
        """What to do, for somebody who may push."""
        return f"delete it: git push origin :{self.ref}"


def ref_obstacles(wanted: Iterable[str], there: Collection[str]) -> list[RefObstacle]:
    """The refs that are in the way of the wanted ones."""
    found = []
    existing = set(there)
    for ref in wanted:
        parts = ref.split("/")
        above = ["/".join(parts[:count]) for count in range(2, len(parts))]
        folders = [each for each in above if each in existing]
        folders += sorted(each for each in existing if each.startswith(f"{ref}/"))
        names = [prefix + ref for prefix in _PREFIXES if prefix + ref in existing]
        found += [RefObstacle(ref=each, wanted=ref, kind="folder") for each in folders]
        found += [RefObstacle(ref=each, wanted=ref, kind="name") for each in names]
    return found
