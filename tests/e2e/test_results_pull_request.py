"""Results of a trusted branch as a pull request, on a real Gitea: merged, declined, and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contracts.forge_sides import eventually
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.e2e.test_branches_merge import merge, shared
from tests.gitea import Gitea

__all__ = ["shared"]

Counted = tuple[str, Callable[[], int]]
_SOURCE = "tea/results/main"


def _pulls(gitea: Gitea, lab: Lab, state: str = "open") -> list[Any]:
    return list(gitea.api("GET", f"/repos/{lab.name}/pulls?state={state}"))


def _start(lab: Lab, gitea: Gitea, echo: str) -> str:
    """A dataset whose main branch the bot may not push to."""
    lab.settings = ""
    lab.tables = f'[results]\npull_requests = ["{lab.name}"]\n'
    lab.create(
        files={
            **ATTRIBUTES,
            "raw/a.png": "a\n",
            "up/spec.yml": spec("up", f"{echo}; {COPY}"),
        }
    )
    pushed = lab.push()
    rule = {
        "rule_name": "main",
        "enable_push": True,
        "enable_push_whitelist": True,
        "push_whitelist_usernames": [gitea.owner],
    }
    gitea.api("POST", f"/repos/{lab.name}/branch_protections", rule)
    return pushed


@pytest.mark.gitea
@pytest.mark.parametrize("how", ["merge", "squash"])
def test_merging_publishes(shared: tuple[Lab, Gitea], counted: Counted, how: str) -> None:
    """The branch stays as it was pushed until then; afterwards nothing runs."""
    lab, gitea = shared
    echo, count = counted
    pushed = _start(lab, gitea, echo)
    run = lab.settle()

    assert run is not None
    assert ("settled", 1, pushed) == (run.state, count(), lab.tip())
    (pull,) = _pulls(gitea, lab)
    assert (_SOURCE, "main", gitea.bot) == (
        pull["head"]["ref"],
        pull["base"]["ref"],
        pull["user"]["login"],
    )
    assert f"Results of {pushed[:12]}: 1 new" == pull["title"]
    results = lab.tip(_SOURCE)
    place = f"{gitea.url}/{lab.name}/raw/commit/{results}/up/a.png"
    assert f"![]({place})" in pull["body"]
    lab.settle()
    assert [] == gitea.api("GET", f"/repos/{lab.name}/issues/{pull['number']}/comments")

    lab.write({"raw/b.png": "b\n"})
    lab.save()
    second = lab.push()
    lab.settle()
    assert 1 == count(), "one more datum"
    (pull,) = _pulls(gitea, lab)
    assert f"Results of {second[:12]}: 2 new" == pull["title"]

    merge(gitea, lab, pull["number"], how)
    lab.settle()
    assert 0 == count()
    lab.git("fetch", "-q", "origin", "main")
    assert "b\n" == lab.git("show", "FETCH_HEAD:up/b.png")
    assert [] == _pulls(gitea, lab)
    assert "" == lab.tip(_SOURCE)


@pytest.mark.gitea
def test_closing_declines_the_same_results(shared: tuple[Lab, Gitea], counted: Counted) -> None:
    """Also after Redis was lost and upon another commit; other results are proposed anew."""
    lab, gitea = shared
    echo, count = counted
    _start(lab, gitea, echo)
    lab.settle()
    (pull,) = _pulls(gitea, lab)
    gitea.api("PATCH", f"/repos/{lab.name}/pulls/{pull['number']}", {"state": "closed"})
    count()

    lab.site().redis.flushall()
    lab.settle()
    lab.write({"README": "x\n"})
    lab.save()
    lab.push()
    lab.settle()
    assert [] == _pulls(gitea, lab)
    assert 0 == count()

    lab.write({"raw/a.png": "A\n"})
    lab.save()
    third = lab.push()
    lab.settle()
    assert 1 == count()
    (again,) = _pulls(gitea, lab)
    assert again["number"] != pull["number"]
    assert f"Results of {third[:12]}: 1 new" == again["title"]

    lab.write({"raw/a.png": None, "up/spec.yml": None})
    lab.save()
    lab.push()
    lab.settle()
    assert "" == lab.tip(_SOURCE)
    # Gitea closes the request of a deleted branch in the background.
    assert [] == eventually(lambda: _pulls(gitea, lab), lambda found: not found)
