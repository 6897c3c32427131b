"""What a forge says of the branches of a repository: which exist, and which it protects."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tea_runner.core.git.branch_kinds import holds_results

#: Characters with a meaning in patterns; git allows none of them in the name of a branch.
_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True, kw_only=True)
class BranchProtection:
    """Branches of one repository, without ``refs/heads/``."""

    default: str
    branches: frozenset[str] = frozenset()
    #: Those that not everybody who may push to the repository may push to.
    protected: frozenset[str] = frozenset()

    @property
    def trusted(self) -> tuple[str, ...]:
        """The default branch and the protected ones: patterns that match exactly these, sorted.

        Branches with results of others are not among them, although a rule may protect all of those.
        """
        names = {self.default, *self.protected} - {""}
        found = (name for name in names if not _WILDCARD.search(name) and not holds_results(name))
        return tuple(sorted(found))
