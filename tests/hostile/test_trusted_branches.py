"""Somebody who may push makes a branch with a name that sounds trusted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.forge.gitea import GiteaForge
from tests.clone import Clone
from tests.e2e.pipelines import spec
from tests.gitea import Gitea
from tests.hostile.forge import HostileForge

CANARY = b"canary-3f9b1c"
_TAKE = 'printf %s "$TOKEN" | cut -c 2- > "$PFS/out/taken"'


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[HostileForge]:
    """A server with a secret for the repository, and no word of trusted branches in its settings."""
    secret = tmp_path / "kept"
    secret.mkdir()
    (secret / "atlas").write_bytes(CANARY)
    table = f'[[secrets]]\nname = "atlas"\nfile = "{secret}/atlas"\nrepositories = ["lab/mine"]\n'
    made = HostileForge(tmp_path / "server", settings=table)
    made.make("mine", {})
    yield made
    made.close()


def test_a_branch_master_that_somebody_makes_is_not_trusted(forge: HostileForge) -> None:
    """It gets no secret of the operator, and decides no result of ``main``."""
    ask = {"secrets": [{"name": "atlas", "env_var": "TOKEN"}]}
    row = {"files": {"up/spec.yml": spec("up", _TAKE, transform=ask)}, "git-annex": False}
    stream = forge._commit("master", row["files"], {})  # type: ignore[arg-type]
    forge.git("mine", "fast-import", "--quiet", "--date-format=raw-permissive", stdin=stream)

    met = forge.meet("mine", "master")

    assert {} == met.outputs
    assert "" != forge.site.repository("lab/mine").scope("master")


def test_trust_follows_the_default_branch(forge: HostileForge) -> None:
    """Another default branch is the trusted one, as soon as the forge says so again."""
    dataset = forge.site.repository("lab/mine")
    facts = forge.site.forge_facts
    now = [time.time()]
    facts._now = lambda: now[0]
    assert (True, False) == (dataset.scope("main") == "", dataset.scope("stable") == "")
    forge.git("mine", "update-ref", "refs/heads/stable", "refs/heads/main")
    forge.git("mine", "symbolic-ref", "HEAD", "refs/heads/stable")
    now[0] += 61

    assert (False, True) == (dataset.scope("main") == "", dataset.scope("stable") == "")


def test_a_list_in_the_settings_means_what_it_says(tmp_path: Path) -> None:
    """No more and no less, whatever the forge says."""
    made = HostileForge(tmp_path, top='trusted_branches = ["release/*"]')
    try:
        made.make("mine", {})
        dataset = made.site.repository("lab/mine")
        assert "" == dataset.scope("release/1")
        assert scope_of("main", []) == dataset.scope("main")
    finally:
        made.close()


def _eventually(ask: Callable[[], object], expected: object) -> None:
    """Gitea needs a moment for the branches of a first push."""
    until = time.monotonic() + 20
    while (found := ask()) != expected and time.monotonic() < until:
        time.sleep(0.2)
    assert expected == found


def _changed(gitea: Gitea, name: str, branch: str) -> bool:
    """Whether Gitea took another default branch: it answers 500 while it is at work on a push."""
    try:
        gitea.api("PATCH", f"/repos/{name}", {"default_branch": branch})
    except requests.HTTPError:
        return False
    return True


@pytest.mark.gitea
@pytest.mark.parametrize("rights", ["write", "admin"])
def test_gitea_protects_by_name_and_by_rule(gitea: Gitea, tmp_path: Path, rights: str) -> None:
    """Its rules are matched as it does: a star ends at a slash, two do not, plain names ignore case."""
    name = gitea.repository(f"trust-{time.time_ns()}", bot=rights)
    clone = Clone(tmp_path / "clone", gitea.push_url(name))
    clone.commit("a")
    branches = ("master", "release/1", "release/2/x", "deep/er/x", "stable", "open", "git-annex")
    clone.push("main")
    clone.push(*(f"main:refs/heads/{each}" for each in branches))
    closed = {
        "enable_push": True,
        "enable_push_whitelist": True,
        "push_whitelist_usernames": ["lab"],
    }
    for rule in ("release/*", "deep/**", "STABLE"):
        gitea.api("POST", f"/repos/{name}/branch_protections", {"rule_name": rule, **closed})
    everybody = {"rule_name": "open", "enable_push": True}
    gitea.api("POST", f"/repos/{name}/branch_protections", everybody)
    client = GiteaForge(gitea.url, gitea.bot_token)
    # Only administrators of a repository may read that a rule lets everybody push.
    opened = ["open"] if rights == "write" else []
    expected = sorted(["deep/er/x", "main", "release/1", "stable", *opened])
    _eventually(lambda: sorted(client.branch_protection(name).trusted), expected)

    gitea.api("DELETE", f"/repos/{name}/branch_protections/STABLE")
    _eventually(lambda: _changed(gitea, name, "master"), True)
    expected = sorted(["deep/er/x", "master", "release/1", *opened])
    _eventually(lambda: sorted(client.branch_protection(name).trusted), expected)


@pytest.mark.gitea
def test_an_empty_gitea_repository_trusts_its_default_branch(gitea: Gitea) -> None:
    """And no other."""
    name = gitea.repository(f"trust-{time.time_ns()}", bot="write")

    assert ("main",) == GiteaForge(gitea.url, gitea.bot_token).branch_protection(name).trusted
