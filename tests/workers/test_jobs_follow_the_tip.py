"""Jobs belong to keys: what is pushed while they wait or run takes effect, and no command runs twice."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import spec
from tests.workers.conftest import Counting, faulty_lab

_ANNEXED = (
    "* annex.largefiles=nothing\nup/** annex.largefiles=anything\n*.yml annex.largefiles=nothing\n"
)
_IN_GIT = "* annex.largefiles=nothing\n"


@pytest.fixture
def lab(tmp_path: Path, faults: Counting) -> Iterator[Lab]:
    """A dataset with one file."""
    with faulty_lab(tmp_path, faults) as made:
        made.create(files={".gitattributes": _ANNEXED, "raw/a.txt": "a\n"})
        yield made


class Begin(Protocol):
    """Push a pipeline whose command prints a line when it runs; returns the server's hands."""

    def __call__(self, during: str = "", attributes: str = _ANNEXED) -> Hands:
        """*during* is shell text of the command."""
        ...


@pytest.fixture
def begin(lab: Lab) -> Iterator[Begin]:
    """The hands are closed in the end."""
    with contextlib.ExitStack() as stack:

        def begin(during: str = "", attributes: str = _ANNEXED) -> Hands:
            command = f'echo ran; {during} cat "$PFS"/in/a.txt > "$PFS/out/b.txt"'
            lab.write({".gitattributes": attributes, "up/spec.yml": spec("up", command)})
            lab.save()
            lab.push()
            hands = stack.enter_context(contextlib.closing(Hands(lab)))
            hands.plan()
            return hands

        yield begin


def _ran(hands: Hands, job: str) -> int:
    log = hands.site.log(job)
    return b"".join(log.read(0, log.size())).count(b"ran\n")


def _push(lab: Lab, files: dict[str, str | None]) -> str:
    lab.write(files)
    commit = lab.save()
    lab.push()
    return commit


def _away(lab: Lab) -> Path:
    return lab.store.with_name("away")


def _in_trouble(lab: Lab, then: Callable[[], object]) -> threading.Thread:
    """Do something when an upload has failed."""

    def wait() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            live = lab.site().jobs.live().values()
            if _away(lab).exists() and any(facts.troubles for facts in live):
                break
            time.sleep(0.1)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_waiting_job_takes_the_commit_of_the_tip(lab: Lab, begin: Begin) -> None:
    """The tip wants the same key, and its attributes decide how the result is stored."""
    hands = begin(attributes=_IN_GIT)
    (job,) = hands.site.jobs.waiting()
    commit = _push(lab, {".gitattributes": _ANNEXED})
    hands.plan()
    facts = hands.site.jobs.facts([job])[job]
    assert ("waiting", commit) == (facts.state, facts.job.commit if facts.job else "")

    hands.work()
    hands.plan()
    lab.pull()
    assert (True, 1) == ((lab.dataset / "up/b.txt").is_symlink(), _ran(hands, job))


@pytest.mark.long
def test_a_job_that_waits_for_its_next_try_is_tried_at_once_after_a_push(
    lab: Lab, begin: Begin
) -> None:
    """The push may be the cure."""
    hands = begin()
    (job,) = hands.site.jobs.waiting()
    claim = hands.site.jobs.claim(job, "worker", "token")
    assert claim is not None
    hands.site.jobs.retry_later(claim, "the storage is away", wait=300)
    assert hands.site.jobs.claim(job, "worker", "token") is None
    _push(lab, {"NOTES.md": "nothing\n"})
    hands.plan()

    assert hands.site.jobs.claim(job, "worker", "token") is not None


@pytest.mark.long
def test_a_job_that_runs_keeps_its_commit(lab: Lab, begin: Begin) -> None:
    """Its worker has begun with it."""
    hands = begin()
    (job,) = hands.site.jobs.waiting()
    claim = hands.site.jobs.claim(job, "worker", "token")
    assert claim is not None
    _push(lab, {"NOTES.md": "nothing\n"})
    hands.plan()

    facts = hands.site.jobs.facts([job])[job]
    assert claim.job == facts.job


@pytest.mark.long
def test_a_job_of_another_branch_stays_with_it(lab: Lab, begin: Begin) -> None:
    """As long as that branch waits for it; afterwards it is this one's."""
    lab.settings = 'trusted_branches = ["main", "other"]\n'
    hands = begin()
    (job,) = hands.site.jobs.waiting()
    before = hands.site.jobs.facts([job])[job].job
    lab.git("checkout", "-qb", "other")
    _push(lab, {"NOTES.md": "nothing\n"})
    hands.plan("other")
    assert before == hands.site.jobs.facts([job])[job].job

    lab.git("checkout", "-q", "main")
    _push(lab, {"raw/a.txt": "b\n"})
    hands.plan("main")
    hands.plan("other")
    after = hands.site.jobs.facts([job])[job].job
    assert (lab.tip("other"), "other") == ((after.commit, after.branch) if after else None)


@pytest.mark.long
def test_outputs_are_saved_with_attributes_that_came_while_the_command_ran(
    lab: Lab, begin: Begin
) -> None:
    """Git would not have taken them; the command runs once."""
    lab.sandbox = "git_file_size = 1000\n"
    cure = lab.root / "cure"
    cure.write_text(_ANNEXED)
    during = (
        f"(cd {lab.dataset} && cp --remove-destination {cure} .gitattributes && "
        "git -c user.name=a -c user.email=a@b commit -nqam cure && git push -q origin main);"
    )
    text = "a long line\n" * 100
    lab.write({"raw/a.txt": text})
    hands = begin(during, attributes=_IN_GIT)
    (job,) = hands.work()
    hands.plan()
    facts = hands.site.jobs.facts([job])[job]
    assert ("done", 1) == (facts.state, _ran(hands, job)), facts.error
    lab.git("reset", "-q", "--hard")
    lab.pull()
    assert (lab.dataset / "up/b.txt").is_symlink()


@pytest.mark.long
def test_an_upload_that_fails_is_repeated_with_the_attributes_of_the_tip(
    lab: Lab, begin: Begin
) -> None:
    """The storage stays away; the tip keeps results in git, and needs none."""
    hands = begin(f"mv {lab.store} {_away(lab)};")

    def cure() -> None:
        lab.write({".gitattributes": _IN_GIT})
        lab.save()
        lab.git("push", "-q", "origin", "main", "git-annex")

    thread = _in_trouble(lab, cure)
    (job,) = hands.work()
    thread.join()
    facts = hands.site.jobs.facts([job])[job]
    assert ("done", 1) == (facts.state, _ran(hands, job)), facts.error
    hands.plan()
    lab.pull()
    assert (False, "a\n") == (
        (lab.dataset / "up/b.txt").is_symlink(),
        (lab.dataset / "up/b.txt").read_text(),
    )


@pytest.mark.long
def test_an_upload_that_nobody_waits_for_any_more_ends(lab: Lab, begin: Begin) -> None:
    """The tip wants another key; the worker is free for it, and nothing is kept."""
    hands = begin(f"mv {lab.store} {_away(lab)};")

    def move_on() -> None:
        lab.write({"raw/a.txt": "b\n"})
        lab.save()
        lab.git("push", "-q", "origin", "main", "git-annex")
        other = Hands(lab, "planner")
        other.plan()
        other.close()

    (job,) = hands.site.jobs.waiting()
    thread = _in_trouble(lab, move_on)
    began = time.monotonic()
    hands.worker(job)
    thread.join()
    assert "cancelled" == hands.site.jobs.facts([job])[job].state
    assert time.monotonic() - began < 60
    repository = hands.worker._runners["lab/data"].repository.repository
    assert b"" == repository.git("for-each-ref", "refs/tea-kept/")


@pytest.mark.long
def test_kept_results_are_sent_with_the_attributes_of_the_tip(lab: Lab, begin: Begin) -> None:
    """A worker was stopped while the storage was away; the next one of this host needs none."""
    hands = begin(f"mv {lab.store} {_away(lab)};")
    thread = _in_trouble(lab, hands.worker.release_claim)
    (job,) = hands.work()
    thread.join()
    lab.write({".gitattributes": _IN_GIT})
    lab.save()
    lab.git("push", "-q", "origin", "main", "git-annex")
    hands.plan()
    other = Hands(lab)
    other.work()
    other.close()
    facts = hands.site.jobs.facts([job])[job]
    assert ("done", 1) == (facts.state, _ran(hands, job)), facts.error
