"""A rule of the forge that requires commit statuses: no merge before the results, and one with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.docs.page import Reader, follow
from tests.e2e.conftest import counted
from tests.e2e.lab import Lab
from tests.e2e.pipelines import COPY, spec
from tests.e2e.test_branches_merge import files, merge, open_request, shared
from tests.gitea import Gitea

__all__ = ["counted", "shared"]

Counted = tuple[str, Callable[[], int]]


@pytest.mark.gitea
def test_the_forge_merges_what_is_green_only(
    shared: tuple[Lab, Gitea], counted: Counted, tmp_path: Path
) -> None:
    """With the rule of the page: not while it runs, not after a failure, and after the correction."""
    lab, gitea = shared
    lab.create(files=files(counted[0]))
    lab.push()
    lab.settle()
    lab.pull()
    reader = Reader(tmp_path / "home")
    (reader.folder / "my-token").write_text(gitea.owner_token)
    words = {"https://git.example.org": gitea.url, "lab/data": lab.name}
    follow("docs/how-to/require-results.md", reader, words=words)

    lab.git("switch", "-q", "-c", "change", "main")
    lab.write({"up/spec.yml": spec("up", "echo no such matrix; exit 1", datum_tries=1)})
    lab.save()
    lab.push()
    number = open_request(gitea, lab, "change")
    assert not _merges(gitea, lab, number), "nothing is known of it"
    failed = lab.settle(branch="change")
    assert failed is not None
    assert "failed" == failed.state
    assert not _merges(gitea, lab, number)

    lab.write({"up/spec.yml": spec("up", f"true; {COPY}")})
    lab.save()
    lab.push()
    assert not _merges(gitea, lab, number), "its statuses are not there yet"
    run = lab.settle(branch="change")
    assert run is not None
    assert "settled" == run.state
    merge(gitea, lab, number, "merge")
    assert lab.settle() is not None, "the bot may push its results to the protected branch"


def _merges(gitea: Gitea, lab: Lab, number: int) -> bool:
    place = f"{gitea.url}/api/v1/repos/{lab.name}/pulls/{number}/merge"
    headers = {"Authorization": f"token {gitea.owner_token}"}
    answer = requests.post(place, json={"Do": "merge"}, headers=headers, timeout=30)
    return answer.ok
