"""A repository that is renamed, or moved to another owner, is followed; its results stay known."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tea_runner.core.deliveries.registered_webhook import Webhook
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.gitea import Gitea
from workers.reconciler import Reconciler

pytestmark = pytest.mark.gitea


@pytest.mark.parametrize("moved", [False, True], ids=["renamed", "moved"])
def test_a_renamed_repository_is_followed(gitea: Gitea, tmp_path: Path, moved: bool) -> None:
    """Nothing is computed again; pushes are found, and runs of the former name end."""
    name = gitea.repository(f"before-{time.time_ns()}")
    lab = Lab(tmp_path, forge=gitea.as_bot(tmp_path), push_url=gitea.push_url(name), name=name)
    try:
        lab.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
        lab.push()
        lab.settle()
        lab.pull()
        tip = lab.tip()
        if moved:
            group = f"group{time.time_ns()}"
            gitea.api("POST", "/orgs", {"username": group})
            gitea.api("POST", f"/repos/{name}/transfer", {"new_owner": group})
            new = f"{group}/{name.partition('/')[2]}"
        else:
            new = name.replace("before", "after")
            gitea.api("PATCH", f"/repos/{name}", {"name": new.partition("/")[2]})
        site = lab.site()
        for fact in (site.state_folder / "forge-facts").glob("*"):
            fact.unlink()  # a minute later
        site.forge_facts._answers.clear()

        assert [new] == site.watched()
        assert (True, False) == (site.is_watched(new), site.is_watched("other/data"))
        number = site.forge.repository_id(new)
        assert (new, number) == site.forge.current_name(name)
        hooks = site.webhooks
        for letter, its in (("h", number), ("o", 0)):
            hooks.keep(
                Webhook(
                    id=letter * 24,
                    forge="gitea",
                    repository=name,
                    repository_id=its,
                    secrets=("s",),
                )
            )

        lab.git("remote", "set-url", "origin", gitea.push_url(new))
        Reconciler(site).round()
        lab.work_off()
        run = site.runs.latest(1, new)[0]
        assert ("settled", {"reused": 1}) == (run.state, run.pipelines[0].counts)
        assert tip == lab.tip()
        # Another repository that took the name would have another number.
        assert {number: new, 0: name} == {h.repository_id: h.repository for h in hooks.all()}

        lab.write({"raw/b.txt": "b\n"})
        lab.save()
        lab.push()
        Reconciler(site).round()
        lab.work_off()
        run = site.runs.latest(1, new)[0]
        assert ("settled", {"done": 1, "reused": 1}) == (run.state, run.pipelines[0].counts)
    finally:
        lab.close()
