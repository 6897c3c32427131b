"""What the forge says of repositories, kept for a minute in files that all processes of a host share.

Plans and jobs depend on these facts: which branches are trusted, and who may read a repository.  A fact
is never used for longer than :data:`_LONGEST`, also while the forge does not answer: then no answer is
an error, so that nothing is planned or read on the strength of what may have changed.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from tea_runner.core.errors import ForgeError
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tea_runner.core.repository_visibility import Audience
from tea_runner.ports import Forge

log = logging.getLogger(__name__)

#: Seconds for which an answer is not asked for again.
_FRESH = 60.0
#: The same, for a branch that did not exist when the forge was asked.
_NEW_BRANCH = 5.0
#: Seconds for which the last answer counts while the forge does not answer.
_LONGEST = 600.0


class _Answer(NamedTuple):
    seconds: float
    fact: Mapping[str, Any]


class CachedFacts:
    """Facts of repositories.

    :param folder: where answers are kept; made when it is missing.
    :param now: seconds since 1970.
    """

    def __init__(self, forge: Forge, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._forge = forge
        self._folder = folder
        self._now = now
        self._answers: dict[Path, _Answer] = {}

    def branch_protection(self, repository: str, branch: str = "") -> BranchProtection:
        """As :meth:`tea_runner.ports.Forge.branch_protection`.

        :param branch: asked for again soon when the last answer does not have it.
        :raises ForgeError: when the forge declines, or has not answered for some minutes.
        """
        fact = self._get(
            repository,
            "branches",
            lambda: _protection_fact(self._forge.branch_protection(repository)),
            lambda fact: _NEW_BRANCH if branch and branch not in fact["branches"] else _FRESH,
        )
        return BranchProtection(
            default=fact["default"],
            branches=frozenset(fact["branches"]),
            protected=frozenset(fact["protected"]),
        )

    def current_name(self, repository: str) -> tuple[str, int | None]:
        """As :meth:`tea_runner.ports.Forge.current_name`.

        :raises ForgeError: when the forge declines, or has not answered for some minutes.
        """
        fact = self._get(
            repository,
            "name",
            lambda: dict(
                zip(("name", "number"), self._forge.current_name(repository), strict=True)
            ),
            lambda _: _FRESH,
        )
        return fact["name"], fact["number"]

    def audience(self, repository: str) -> Audience:
        """As :meth:`tea_runner.ports.Forge.audience`.

        :raises ForgeError: when the forge declines, or has not answered for some minutes.
        """
        fact = self._get(
            repository,
            "audience",
            lambda: _audience_fact(self._forge.audience(repository)),
            lambda _: _FRESH,
        )
        return Audience(
            visibility=fact["visibility"],
            owner=fact["owner"],
            people=frozenset(fact["people"]),
            teams=frozenset(fact["teams"]),
        )

    def _get(
        self,
        repository: str,
        kind: str,
        ask: Callable[[], Mapping[str, Any]],
        fresh: Callable[[Mapping[str, Any]], float],
    ) -> Mapping[str, Any]:
        path = self._folder / f"{quote(repository, safe='')}.{kind}.json"
        answer = self._answers.get(path)
        if answer is None or not self._is_newer(answer, fresh(answer.fact)):
            answer = _read(path) or answer
        if answer is not None and self._is_newer(answer, fresh(answer.fact)):
            self._answers[path] = answer
            return answer.fact
        try:
            fact = ask()
        except ForgeError as error:
            declined = 400 <= error.response_status < 500
            if declined or answer is None or not self._is_newer(answer, _LONGEST):
                raise
            log.warning("%s; its last answer counts for some minutes", error.message)
            return answer.fact
        answer = _Answer(self._now(), fact)
        self._answers[path] = answer
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, answer)
        return fact

    def _is_newer(self, answer: _Answer, seconds: float) -> bool:
        return 0 <= self._now() - answer.seconds < seconds


def _protection_fact(found: BranchProtection) -> dict[str, Any]:
    return {
        "default": found.default,
        "branches": sorted(found.branches),
        "protected": sorted(found.protected),
    }


def _audience_fact(found: Audience) -> dict[str, Any]:
    return {
        "visibility": found.visibility,
        "owner": found.owner,
        "people": sorted(found.people),
        "teams": sorted(found.teams),
    }


def _read(path: Path) -> _Answer | None:
    """What is kept; None when nothing is, or it cannot be read."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return _Answer(float(kept["seconds"]), dict(kept["fact"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, answer: _Answer) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(answer._asdict(), file)
    os.replace(name, path)
