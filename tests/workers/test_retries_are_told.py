"""What is tried again is told on run, page, terminal and forge: the reason, the tries, and the next try."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from tea_runner.broker import redis_keys
from tea_runner.core.planning.run_status import run_status
from tea_runner.present import state_words
from tea_runner.present.json_documents import run_document
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec
from tests.gitea import Gitea
from tests.workers.conftest import Counting


def _told(hands: Hands) -> tuple[str, list[str]]:
    """State of the latest run, and what it says of retries."""
    (run, *_) = hands.site.runs.latest()
    jobs = hands.site.jobs.facts([job for row in run.pipelines for job in row.jobs])
    status = run_status(run, jobs)
    assert len(status.retries) == len(run_document(status)["retries"])
    return status.state, state_words.retry_sentences(status, time.time())


@pytest.mark.long
def test_a_push_that_cannot_be_fetched_has_a_run(
    forged: Lab, hands: Hands, faults: Counting
) -> None:
    """It says so, counts the tries, and is the run of the push once that is planned."""
    commit = forged.git("rev-parse", "HEAD").strip()
    faults.refuses = True
    for _ in range(2):
        hands.plan()

    state, (sentence,) = _told(hands)
    assert ("waiting", commit) == (state, hands.site.runs.latest()[0].commit)
    assert sentence.startswith("the plan: ")
    assert "try 2 failed, next try in " in sentence

    faults.refuses = False
    hands.plan()
    assert ("waiting", []) == _told(hands)
    assert [commit] == [run.commit for run in hands.site.runs.latest()]


def test_a_job_that_is_tried_again_says_why(forged: Lab, hands: Hands) -> None:
    """One sentence for all jobs with the same reason."""
    hands.plan()
    (job,) = hands.site.jobs.waiting()
    claim = hands.site.jobs.claim(job, "w", "t")
    assert claim is not None
    hands.site.jobs.count(job, "troubles")
    hands.site.jobs.retry_later(claim, "the storage does not answer", wait=60)

    state, sentences = _told(hands)
    assert "waiting" == state
    assert 1 == len(sentences)
    assert sentences[0].startswith("1 job: the storage does not answer; try 1 failed, next try in ")


def test_the_commit_status_says_that_a_job_is_tried_again(
    forged: Lab, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first longer pause on; once for each reason."""
    monkeypatch.setattr("workers.failure_policy._SHORT_PAUSE", 0.0)
    commit = forged.git("rev-parse", "HEAD").strip()
    hands.plan()
    shutil.move(forged.store, forged.store.with_name("away"))
    (job,) = hands.site.jobs.waiting()
    requests = []
    for _ in range(5):
        hands.site.redis.hset(redis_keys.job(job), "after", 0)
        hands.site.redis.delete(redis_keys.plan_requests())
        hands.worker(job)
        requests.append(hands.site.redis.hlen(redis_keys.plan_requests()))
    assert [0, 0, 1, 0, 0] == requests

    hands.plan()
    told = hands.site.forge.commit_statuses(forged.name, commit)["tea-runner/up"][1]
    assert "1 to run; no worker runs; tried again: " in told


@pytest.mark.gitea
@pytest.mark.parametrize("rule", ["protected", "archived"])
def test_what_gitea_refuses_is_told(gitea: Gitea, tmp_path: Path, rule: str) -> None:
    """In Gitea's words, with the next step, on the run and on the commit."""
    name = gitea.repository(f"refused-{time.time_ns()}", bot="write")
    lab = Lab(tmp_path, forge=gitea.as_bot(tmp_path), push_url=gitea.push_url(name), name=name)
    try:
        lab.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
        commit = lab.push()
        hands = Hands(lab)
        hands.plan()
        hands.work()
        if rule == "protected":
            rules = {"rule_name": "main", "enable_push": False}
            gitea.api("POST", f"/repos/{name}/branch_protections", rules)
        else:
            gitea.api("PATCH", f"/repos/{name}", {"archived": True})
        hands.plan()
        state, (sentence,) = _told(hands)
        hands.close()

        assert "running" == state
        assert "the forge refused to take" in sentence
        assert rule in sentence
        if rule == "protected":
            statuses = lab.site().forge.commit_statuses(name, commit)
            assert "error" == statuses["tea-runner/plan"][0]
    finally:
        lab.close()
