"""Storages are looked at before a command runs, and what fails after it repeats only what failed."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.dataset import content_storage
from tea_runner.dataset.content_storage import SpecialRemotes
from tea_runner.dataset.special_remote_policy import Storage
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import spec
from tests.workers.conftest import Counting, faulty_lab

_EXPORT = "storage store is an export (exporttree=yes) and takes no results"


@pytest.fixture
def lab(tmp_path: Path, faults: Counting) -> Iterator[Lab]:
    """A dataset whose outputs are annexed, and whose command prints a line when it runs."""
    with faulty_lab(tmp_path, faults) as made:
        made.create(
            files={
                ".gitattributes": "* annex.largefiles=nothing\n"
                "up/** annex.largefiles=anything\n*.yml annex.largefiles=nothing\n",
                "raw/a.txt": "a\n",
                "up/spec.yml": spec("up", _command(made, "")),
            }
        )
        made.push()
        yield made


def _command(lab: Lab, more: str) -> str:
    return f'echo ran; {more} cat "$PFS"/in/a.txt > "$PFS/out/b.txt"'


@pytest.fixture
def hands(lab: Lab) -> Iterator[Hands]:
    """Its server."""
    with_hands = Hands(lab)
    yield with_hands
    with_hands.close()


def _ran(hands: Hands, job: str) -> int:
    """How often the command has run."""
    log = hands.site.log(job)
    return b"".join(log.read(0, log.size())).count(b"ran\n")


def _away(lab: Lab) -> Path:
    return lab.store.with_name("away")


def _when_away(lab: Lab, then: Callable[[], object]) -> threading.Thread:
    """Do something when an upload has failed."""

    def wait() -> None:
        end = time.monotonic() + 60
        while not (_away(lab).exists() and _troubles(lab)) and time.monotonic() < end:
            time.sleep(0.1)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def _troubles(lab: Lab) -> int:
    return sum(facts.troubles for facts in lab.site().jobs.live().values())


@pytest.mark.long
def test_a_storage_that_does_not_answer_is_found_before_the_command(
    lab: Lab, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is tried again later, and the command runs once, when the storage is back."""
    monkeypatch.setattr(content_storage, "_LOOK_EVERY", 0.0)
    hands.plan()
    hands.worker._runners["lab/data"].repository.refresh()
    hands.worker._runners["lab/data"].repository.prepared_annex()
    shutil.move(lab.store, _away(lab))
    (job,) = hands.work()
    facts = hands.site.jobs.facts([job])[job]
    assert ("waiting", 0) == (facts.state, _ran(hands, job))
    assert facts.error.startswith("storage store takes no results now: ")

    shutil.move(_away(lab), lab.store)
    hands.work()
    hands.plan()
    assert "settled" == hands.site.runs.latest()[0].state
    assert 1 == _ran(hands, job)


@pytest.mark.long
def test_the_look_is_short_and_leaves_nothing(
    lab: Lab, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for all jobs of a while; only the results are in the storage afterwards."""
    sent: list[str] = []
    send = SpecialRemotes.require_writable
    monkeypatch.setattr(
        SpecialRemotes, "_probe", lambda self, name: sent.append(name), raising=True
    )
    assert send is SpecialRemotes.require_writable
    lab.write({f"raw/{number}.txt": f"{number}\n" for number in range(5)})
    lab.save()
    lab.push()
    hands.plan()
    hands.work()
    assert ["store"] == sent


@pytest.mark.long
def test_nothing_of_the_look_stays_in_the_storage(lab: Lab, hands: Hands) -> None:
    """The file that was written there is removed."""
    hands.plan()
    hands.work()
    files = [path for path in lab.store.rglob("*") if path.is_file()]
    assert ["a\n"] == [path.read_text() for path in files]


def test_an_upload_that_fails_is_repeated_without_the_command(lab: Lab, hands: Hands) -> None:
    """The storage goes away while the command runs, and comes back."""
    lab.write({"up/spec.yml": spec("up", _command(lab, f"mv {lab.store} {_away(lab)};"))})
    lab.save()
    lab.push()
    hands.plan()
    thread = _when_away(lab, lambda: shutil.move(_away(lab), lab.store))
    (job,) = hands.work()
    thread.join()
    facts = hands.site.jobs.facts([job])[job]
    assert ("done", 1) == (facts.state, _ran(hands, job))
    assert facts.troubles > 0


@pytest.mark.long
def test_a_worker_that_is_stopped_meanwhile_leaves_the_results_to_the_next(
    lab: Lab, hands: Hands
) -> None:
    """Another worker of this host sends them; the command does not run again."""
    lab.write({"up/spec.yml": spec("up", _command(lab, f"mv {lab.store} {_away(lab)};"))})
    lab.save()
    lab.push()
    hands.plan()
    thread = _when_away(lab, hands.worker.release_claim)
    (job,) = hands.work()
    thread.join()
    assert "waiting" == hands.site.jobs.facts([job])[job].state
    shutil.move(_away(lab), lab.store)

    other = Hands(lab)
    other.work()
    other.close()
    assert ("done", 1) == (hands.site.jobs.facts([job])[job].state, _ran(hands, job))


@pytest.mark.long
def test_a_push_that_fails_is_repeated_without_the_command(
    lab: Lab, hands: Hands, faults: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The forge was away when the results were to be published."""
    hands.plan()
    (job,) = hands.site.jobs.waiting()
    repository = hands.worker._runners["lab/data"].repository
    publish, times = type(repository).put_results, []

    def fail_twice(self: object, ref: str, commit: str) -> None:
        times.append(time.monotonic())
        if len(times) < 3:
            raise OutsideError("the forge is away")
        publish(self, ref, commit)  # type: ignore[arg-type]

    monkeypatch.setattr(type(repository), "put_results", fail_twice)
    hands.worker(job)
    facts = hands.site.jobs.facts([job])[job]
    assert ("done", 1, 3) == (facts.state, _ran(hands, job), len(times))


@pytest.mark.long
def test_a_repository_without_git_annex_keeps_results_in_git(lab: Lab, hands: Hands) -> None:
    """No storage is necessary, and none is looked for."""
    plain = lab.root / "plain"
    lab.git("init", "-q", "-b", "main", str(plain))
    (plain / "raw").mkdir()
    (plain / "raw/a.txt").write_text("a\n")
    (plain / "up").mkdir()
    (plain / "up/spec.yml").write_text(spec("up", _command(lab, "")))
    lab.git("add", ".", cwd=plain)
    lab.git("commit", "-qm", "plain", cwd=plain)
    lab.git("push", "-qf", lab.push_url, "main", cwd=plain)
    lab.git("push", "-q", lab.push_url, ":git-annex", cwd=plain)

    hands.plan()
    hands.work()
    hands.plan()
    assert "settled" == hands.site.runs.latest()[0].state
    lab.git("pull", "-q", lab.push_url, "main", cwd=plain)
    assert (False, "a\n") == ((plain / "up/b.txt").is_symlink(), (plain / "up/b.txt").read_text())


@pytest.mark.long
def test_a_storage_that_takes_no_results_is_told_before_the_command(
    lab: Lab, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, as a failure; it is no longer true once the dataset describes its storages otherwise."""

    def takes_no_results(_: Storage, described: Mapping[str, str]) -> str:
        # A directory cannot be made an export and back; this option of it can be changed.
        return _EXPORT if described.get("autoenable") == "true" else ""

    monkeypatch.setattr(Storage, "takes_no_results", takes_no_results)
    hands.plan()
    (job,) = hands.work()
    hands.plan()
    facts = hands.site.jobs.facts([job])[job]
    assert ("failed", 0) == (facts.state, _ran(hands, job))
    assert facts.error.startswith(_EXPORT)

    place = f"directory={lab.store}"
    lab.git("annex", "enableremote", "store", place, "autoenable=false")
    lab.git("push", "-q", "origin", "git-annex")
    hands.plan()
    (again,) = hands.work()
    hands.plan()
    assert "settled" == hands.site.runs.latest()[0].state
    assert 1 == _ran(hands, again)
