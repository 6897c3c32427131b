"""Conditions under which a datum was computed, and the rule that decides where its result counts.

A row of a signed manifest states them, so that a result of an untrusted branch can be judged after a
merge.  Rows of the trusted scope state only that: the same inputs give the same rows on every host.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from tea_runner.core.git.branch_kinds import is_pull_request_branch

#: Where a datum was computed: for a trusted branch, another branch, or a pull request.
RunScope = Literal["trusted", "branch", "pull"]
#: How its command ended: by itself, or through ``err_cmd``.
RowState = Literal["done", "recovered"]

_SCOPES = get_args(RunScope)


@dataclass(frozen=True, slots=True)
class RunConditions:
    """The scope of a run, and what its command was given."""

    scope: RunScope = "trusted"
    #: Whether the command could use the network.
    network: bool = False
    #: Whether the command was given secrets.
    secrets: bool = False
    #: Limit of memory in bytes that the pipeline set; None for that of the operator.
    memory: int | None = None
    #: Limit of time in seconds that the pipeline set; None for that of the operator.
    timeout: float | None = None

    def __str__(self) -> str:
        """The text of a manifest's cell, for example ``branch memory=1000 network``."""
        if self.scope == "trusted":
            return self.scope
        words: list[str] = [self.scope]
        if self.memory is not None:
            words.append(f"memory={self.memory}")
        if self.timeout is not None:
            words.append(f"timeout={self.timeout:g}")
        words += ["network"] if self.network else []
        words += ["secrets"] if self.secrets else []
        return " ".join(words)


TRUSTED = RunConditions()


def run_scope(branch: str, scope: str) -> RunScope:
    """The kind of a branch, as signed rows state it.

    :param scope: see :func:`~tea_runner.core.git.branch_results_scope.scope_of`.
    """
    if not scope:
        return "trusted"
    return "pull" if is_pull_request_branch(branch) else "branch"


@lru_cache(maxsize=1024)
def parse_conditions(text: str) -> RunConditions | None:
    """The conditions in a cell of a manifest; None where the text is malformed."""
    scope, *words = text.split(" ")
    found: dict[str, str] = dict(word.partition("=")[::2] for word in words)
    if scope not in _SCOPES or found.keys() - {"memory", "timeout", "network", "secrets"}:
        return None
    try:
        return RunConditions(
            scope=scope,  # type: ignore[arg-type] # checked above
            network="network" in found,
            secrets="secrets" in found,
            memory=int(found["memory"]) if "memory" in found else None,
            timeout=float(found["timeout"]) if "timeout" in found else None,
        )
    except ValueError:
        return None


@dataclass(frozen=True, kw_only=True)
class ReuseRule:
    """Decides whether a signed result counts for one pipeline on one branch."""

    #: Scope of the branch that is planned.
    reader: RunScope = "trusted"
    #: Setting ``trust.reuse``: whether results of untrusted branches may count on others.
    branches: bool = True
    #: Limits that the pipeline sets at the planned commit; None for those of the operator.
    memory: int | None = None
    timeout: float | None = None

    def accepts(self, ran: RunConditions, state: RowState, *, own: bool, weak: bool) -> bool:
        """Whether a result counts.

        :param own: whether it is in a manifest of the planned branch itself.
        :param weak: whether the operator requires safe hashes, and an input or code file of the
            datum is identified by MD5 or SHA-1 only.
        """
        if ran.scope == "trusted":
            return True
        if own and self.reader != "trusted":
            return ran.scope == "branch" or self.reader == "pull"
        return (
            self.branches
            and ran.scope == "branch"
            and state == "done"
            and not (ran.network or ran.secrets or weak)
            and _at_least(ran.memory, self.memory)
            and _at_least(ran.timeout, self.timeout)
        )


def _at_least(given: float | None, wanted: float | None) -> bool:
    """Whether a limit is not lower than the wanted one; None is the highest."""
    return given is None or (wanted is not None and given >= wanted)
