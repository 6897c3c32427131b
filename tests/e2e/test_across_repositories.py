"""What one repository has computed serves others that the operator trusts with it; nothing runs twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tea_runner.broker.run_store import RunStore
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, push, spec
from tests.e2e.test_across_datasets import Group

Counted = tuple[str, Callable[[], int]]
IN_GIT = ATTRIBUTES[".gitattributes"]
ANNEXED = IN_GIT + "up/*.txt annex.largefiles=anything\n"
SHOUT = 'f=$(ls "$PFS/in"); tr a-z A-Z < "$PFS/in/$f" > "$PFS/out/$f"'
RAW = {"raw/a.txt": "a\n", "raw/b.txt": "b\n"}


def twins(
    lab: Lab, counted: Counted, *attributes: str, trusted: str = "lab/*", command: str = COPY
) -> Group:
    """``lab/data``, and ``lab/twin`` with the same inputs and pipeline; neither is announced yet."""
    lab.settings = f'trusted_repositories = ["{trusted}"]\n'
    own, other = attributes or (IN_GIT, IN_GIT)
    files = {**RAW, "up/spec.yml": spec("up", f"{counted[0]}; {command}")}
    lab.create(files={".gitattributes": own, **files})
    lab.push()
    group = Group(lab)
    group.make("twin")
    # Another name, another history, another home.
    moved = {name.replace("up/", "deep/er/"): text for name, text in files.items()}
    group.write("twin", {".gitattributes": other.replace("up/*", "deep/er/*"), **moved})
    group.push("twin")
    return group


def details(lab: Lab, name: str) -> set[str]:
    """Where the plan of the latest run of a repository says that its results come from."""
    run = RunStore(lab.site().redis).latest(1, f"lab/{name}")[0]
    return {datum[4] for pipeline in run.pipelines for datum in pipeline.datums}


@pytest.mark.long
@pytest.mark.parametrize("attributes", [(IN_GIT, IN_GIT), (ANNEXED, ANNEXED)])
def test_a_second_repository_with_the_same_content_computes_nothing(
    lab: Lab, counted: Counted, attributes: tuple[str, str]
) -> None:
    """Its results are the first one's, in git or annexed, and the plan says from which commit."""
    group = twins(lab, counted, *attributes)
    group.announce("data")
    assert 2 == counted[1]()
    tip = lab.tip()

    group.announce("twin")
    assert 0 == counted[1]()
    assert {f"lab/data@{tip}"} == details(lab, "twin")
    assert group.show("data", "up/a.txt").replace("../.git", "../../.git") == (
        group.show("twin", "deep/er/a.txt")
    )
    clone = group.clones["twin"]
    lab.git("pull", "-q", "--ff-only", "origin", "main", cwd=clone)
    lab.git("fetch", "-q", "origin", "git-annex", cwd=clone)
    lab.do("git", "annex", "merge", "--quiet", cwd=clone)
    lab.do("git", "annex", "get", "-q", "deep", cwd=clone)
    assert "a\n" == (clone / "deep/er/a.txt").read_text()
    lab.do("git", "annex", "fsck", "--quiet", "deep", cwd=clone)


@pytest.mark.long
def test_repositories_that_nobody_trusts_are_not_asked(lab: Lab, counted: Counted) -> None:
    """Without the setting naming it, the other repository computes for itself."""
    group = twins(lab, counted, trusted="other/*")
    group.announce("data")
    group.announce("twin")

    assert 4 == counted[1]()


@pytest.mark.long
def test_a_branch_that_is_not_trusted_gives_nothing_to_others(lab: Lab, counted: Counted) -> None:
    """Results of a feature branch of the other repository are its own business."""
    group = twins(lab, counted)
    lab.git("switch", "-q", "-c", "feature")
    lab.push()
    lab.settle(branch="feature")
    assert 2 == counted[1]()

    group.announce("twin")
    assert 2 == counted[1]()


@pytest.mark.long
def test_content_that_the_other_storage_lost_is_computed(lab: Lab, counted: Counted) -> None:
    """A known annexed result whose content is gone from the storage is no result."""
    group = twins(lab, counted, ANNEXED, ANNEXED, command=SHOUT)
    group.announce("data")
    counted[1]()
    (lost,) = (p for p in lab.store.rglob("*") if p.is_file() and p.read_text() == "A\n")
    lost.parent.chmod(0o755)
    lost.unlink()

    group.announce("twin")
    assert 1 == counted[1]()
    run = RunStore(lab.site().redis).latest(1, "lab/twin")[0]
    assert "settled" == run.pipelines[0].state
    lab.git("fetch", "-q", "origin", "git-annex", cwd=group.clones["twin"])
    assert "A\n" in {p.read_text() for p in lab.store.rglob("*") if p.is_file()}


@pytest.mark.long
@pytest.mark.parametrize(
    ("own", "other", "kind"),
    [(IN_GIT, ANNEXED, "annex"), (ANNEXED, IN_GIT, "git")],
)
def test_a_reused_result_is_saved_as_its_new_place_asks(
    lab: Lab, counted: Counted, own: str, other: str, kind: str
) -> None:
    """In git here and annexed there, or the other way round: converted, not computed."""
    group = twins(lab, counted, own, other)
    group.announce("data")
    counted[1]()

    group.announce("twin")
    assert 0 == counted[1]()
    shown = group.show("twin", "deep/er/a.txt")
    assert kind == ("annex" if ".git/annex/objects" in shown else "git")
    clone = group.clones["twin"]
    lab.git("pull", "-q", "--ff-only", "origin", "main", cwd=clone)
    lab.git("fetch", "-q", "origin", "git-annex", cwd=clone)
    lab.do("git", "annex", "merge", "--quiet", cwd=clone)
    lab.do("git", "annex", "get", "-q", "deep", cwd=clone)
    assert "a\n" == (clone / "deep/er/a.txt").read_text()


@pytest.mark.long
def test_within_one_repository_a_reused_result_is_saved_as_its_place_asks(
    lab: Lab, counted: Counted
) -> None:
    """A second pipeline whose home is annexed gets the first one's in-git results as annexed files."""
    echo, count = counted
    text = f"{echo}; {COPY}"
    attributes = {".gitattributes": IN_GIT + "two/*.txt annex.largefiles=anything\n"}
    lab.create(files={**attributes, **RAW, "one/spec.yml": spec("one", text)})
    push(lab, count)
    step = push(lab, count, {"two/spec.yml": spec("two", text)})

    assert (0, "settled") == (step.ran, step.state)
    assert "a\n" == lab.git("show", "HEAD:one/a.txt")
    assert ".git/annex/objects" in lab.git("show", "HEAD:two/a.txt")
    lab.do("git", "annex", "get", "-q", "two")
    assert "a\n" == (lab.dataset / "two/a.txt").read_text()


@pytest.mark.long
def test_two_pipelines_at_once_each_get_the_form_that_they_ask_for(
    lab: Lab, counted: Counted
) -> None:
    """One computation, one push: in git for the one home, annexed for the other."""
    echo, count = counted
    text = f"{echo}; {COPY}"
    attributes = {".gitattributes": IN_GIT + "two/*.txt annex.largefiles=anything\n"}
    specs = {"one/spec.yml": spec("one", text), "two/spec.yml": spec("two", text)}
    lab.create(files={**attributes, **RAW, **specs})
    step = push(lab, count)

    assert (2, "settled") == (step.ran, step.state)
    assert "a\n" == lab.git("show", "HEAD:one/a.txt")
    assert ".git/annex/objects" in lab.git("show", "HEAD:two/a.txt")


@pytest.mark.long
def test_what_another_repository_computes_right_now_is_waited_for(
    lab: Lab, counted: Counted
) -> None:
    """Both are planned before any job runs: one computation of each datum, results in both."""
    group = twins(lab, counted)
    hands = Hands(lab)
    first = hands.planner.plan("lab/data", "main")
    second = hands.planner.plan("lab/twin", "main")
    assert first is not None
    assert second is not None
    assert set(first.pipelines["up"].jobs) == set(second.pipelines["up"].jobs)
    hands.close()
    lab.work_off()

    assert 2 == counted[1]()
    assert "a\n" == group.show("data", "up/a.txt") == group.show("twin", "deep/er/a.txt")


@pytest.mark.long
def test_a_job_that_a_newer_push_makes_needless_does_not_begin(lab: Lab, counted: Counted) -> None:
    """Of the first push's three waiting jobs only those run that the second push still wants."""
    echo, count = counted
    lab.create(
        files={
            **ATTRIBUTES,
            **RAW,
            "raw/c.txt": "c\n",
            "up/spec.yml": spec("up", f"{echo}; {COPY}"),
        }
    )
    lab.push()
    hands = Hands(lab)
    first = hands.plan()
    assert first is not None
    lab.write({"raw/a.txt": "other\n", "raw/c.txt": None})
    lab.save()
    lab.push()
    second = hands.plan()
    assert second is not None
    old, new = set(first.pipelines["up"].jobs), set(second.pipelines["up"].jobs)
    states = {job: facts.state for job, facts in lab.site().jobs.facts(sorted(old)).items()}
    assert {"cancelled": 2, "waiting": 1} == {
        word: list(states.values()).count(word) for word in set(states.values())
    }
    assert 1 == len(old & new)
    hands.close()
    lab.work_off()

    assert 2 == count()
    lab.pull()
    assert "other\n" == lab.git("show", "HEAD:up/a.txt")
    # Wanted again, they run after all.
    assert 1 == push(lab, count, {"raw/a.txt": "a\n"}).ran


@pytest.mark.long
def test_a_job_that_runs_when_it_becomes_needless_is_kept(lab: Lab, counted: Counted) -> None:
    """What ran to its end before the newer push was planned is known when it is wanted again."""
    echo, count = counted
    lab.create(
        files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", f"{echo}; {COPY}")}
    )
    lab.push()
    hands = Hands(lab)
    hands.plan()
    hands.work()
    assert 1 == count()
    assert 1 == push(lab, count, {"raw/a.txt": "other\n"}).ran
    hands.close()

    assert 0 == push(lab, count, {"raw/a.txt": "a\n"}).ran
    assert "a\n" == lab.git("show", "HEAD:up/a.txt")


@pytest.mark.long
def test_needless_jobs_of_one_branch_may_be_wanted_by_another(lab: Lab, counted: Counted) -> None:
    """A job that two repositories wait for begins when only one of them gives it up."""
    group = twins(lab, counted)
    hands = Hands(lab)
    hands.planner.plan("lab/data", "main")
    hands.planner.plan("lab/twin", "main")
    lab.write({"raw/a.txt": "other\n", "raw/b.txt": None})
    lab.save()
    lab.push()
    hands.planner.plan("lab/data", "main")
    hands.close()
    lab.work_off()

    assert 3 == counted[1]()
    assert "other\n" == group.show("data", "up/a.txt")
    assert "a\n" == group.show("twin", "deep/er/a.txt")
