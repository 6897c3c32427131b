"""Who may decide what a result is: attempts to put a wrong one under a key, none of which succeeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tea_runner.core.git.branch_results_scope import scope_of
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec, tree

Counted = tuple[str, Callable[[], int]]
_FORGED = "forged\n"


class Target:
    """A dataset with one datum on ``main``, pushed and planned; its job waits."""

    def __init__(self, lab: Lab, counted: Counted) -> None:
        self.lab = lab
        echo, self.count = counted
        self.spec = spec("up", f"{echo}; {COPY}")
        lab.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": self.spec})
        self.pushed = lab.push()
        self.hands = Hands(lab)
        advance = self.hands.plan()
        assert advance is not None
        (decision,) = advance.pipelines["up"].decisions
        self.label, self.key = decision.label, decision.key
        (self.job,) = advance.pipelines["up"].jobs

    @property
    def ref(self) -> str:
        """Where the job's result is expected."""
        return f"refs/tea/jobs/{self.job}"

    def forge_manifest(self) -> None:
        """Claim the key in a manifest, with an output to go with it."""
        rows = ["# tea-runner manifest 1", "# inputs-at x", "datum\tkey\tplace\toutputs"]
        rows += [f"{self.label}\t{self.key}\t\ta.txt", ""]
        self.lab.write({"up/manifest.tsv": "\n".join(rows), "up/a.txt": _FORGED})

    def forge_result(self, message: str = "tea-runner: results") -> str:
        """A commit as workers make them, with the forged output; its id."""
        git = self.lab.git
        (self.lab.root / "forged").write_text(_FORGED)
        blob = git("hash-object", "-w", str(self.lab.root / "forged")).strip()
        row = {
            "key": self.key,
            "exit": 0,
            "recovered": False,
            "outputs": [["a.txt", "git", blob, len(_FORGED), False]],
        }
        (self.lab.root / "forged").write_text(json.dumps({"format": 1, "results": [row]}))
        results = git("hash-object", "-w", str(self.lab.root / "forged")).strip()
        (self.lab.root / "index").unlink(missing_ok=True)
        env = {**self.lab.env, "GIT_INDEX_FILE": str(self.lab.root / "index")}
        for path, oid in (("results.json", results), (f"blobs/{blob}", blob)):
            self._run(env, "update-index", "--add", "--cacheinfo", f"100644,{oid},{path}")
        made = self._run(env, "write-tree").strip()
        return git("commit-tree", "-m", message, made).strip()

    def _run(self, env: dict[str, str], *arguments: str) -> str:
        from tea_runner.host import process

        return process.run(["git", *arguments], env=env, cwd=self.lab.dataset).stdout.decode()

    def branch(self, files: dict[str, str | None] | None = None, name: str = "feature") -> None:
        """Push a branch that is not trusted, with these files."""
        self.lab.git("switch", "-q", "-c", name)
        self.lab.write(files or {})
        self.lab.save()
        self.lab.push()

    def settle(self) -> None:
        """Let the server finish ``main``, and see that its result is the command's own."""
        self.lab.settle()
        self.lab.git("switch", "-q", "main")
        self.lab.pull()
        assert {"up/a.txt": "a\n"} == tree(self.lab, "up")


@pytest.fixture
def target(lab: Lab, counted: Counted) -> Iterator[Target]:
    """The dataset that is attacked."""
    made = Target(lab, counted)
    yield made
    made.hands.close()


@pytest.mark.long
def test_a_manifest_of_another_branch_is_no_result(target: Target) -> None:
    """A forged manifest counts nowhere, not even on the branch that has it."""
    target.lab.git("switch", "-q", "-c", "feature")
    target.forge_manifest()
    target.branch(name="forged")
    target.lab.settle(branch="forged")
    target.settle()
    assert 2 == target.count(), "once for each branch"


@pytest.mark.long
def test_an_untrusted_branch_computes_for_itself_alone(target: Target) -> None:
    """It makes no result of the trusted branch, and removes none that this one still waits for."""
    target.branch()
    target.hands.plan("feature")
    target.hands.work()
    assert 2 == target.count(), "the job of main, and one of its own"
    target.hands.plan("feature")
    refs = target.lab.git("ls-remote", "origin", "refs/tea/*")
    scope = scope_of("feature", ["main"])
    assert (False, True) == (f"scopes/{scope}" in refs, target.ref in refs)
    target.settle()
    assert 0 == target.count()


@pytest.mark.long
def test_a_failure_of_an_untrusted_branch_is_its_own(target: Target) -> None:
    """Timeouts are not in the key: a branch that lets the key fail does so for itself."""
    failing = target.spec.replace('"input"', '"datum_tries": 1, "datum_timeout": "1ms", "input"')
    target.branch({"up/spec.yml": failing})
    planned = target.hands.plan("feature")
    assert planned is not None
    (job,) = planned.pipelines["up"].jobs
    target.hands.worker(job)
    advance = target.hands.plan("feature")
    assert advance is not None
    assert "failed" == advance.pipelines["up"].state
    target.settle()


@pytest.mark.long
def test_a_trusted_result_serves_every_branch(target: Target) -> None:
    """A branch that is not trusted reads what trusted ones have computed, and runs nothing."""
    target.settle()
    target.count()
    target.lab.git("switch", "-q", "-c", "feature", target.pushed)
    target.lab.write({"README": "x"})
    target.lab.save()
    target.lab.push()
    target.lab.settle(branch="feature")
    target.lab.pull()
    assert {"up/a.txt": "a\n"} == tree(target.lab, "up")
    assert 0 == target.count()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_result_that_no_worker_wrote_counts_as_absent(target: Target, when: str) -> None:
    """A forged result, put where a worker will or did put its own, is replaced."""
    if when == "after":
        target.hands.work()
    forged = target.forge_result()
    target.lab.git("push", "-q", "--force", "origin", f"{forged}:{target.ref}")
    target.settle()


@pytest.mark.long
def test_a_seal_is_for_one_result_at_one_place(target: Target) -> None:
    """Neither a worker's seal under other results, nor its results at another place, are accepted."""
    target.branch()
    target.hands.plan("feature")
    target.hands.work()
    git = target.lab.git
    git("fetch", "-q", "origin", "refs/tea/*:refs/tea/*")
    sealed = git("cat-file", "commit", target.ref).partition("\n\n")[2]
    assert "Tea-Seal: " in sealed
    other = git("for-each-ref", "--format=%(objectname)", "refs/tea/scopes").strip()
    for attempt in (target.forge_result(sealed), other):
        git("push", "-q", "--force", "origin", f"{attempt}:{target.ref}")
        repository = target.hands.site.repository(target.lab.name)
        repository.refresh()
        assert {} == dict(repository.unsettled_results())
        repository.close()
    target.settle()


@pytest.mark.long
def test_refs_that_hold_no_result_at_all_do_no_harm(target: Target) -> None:
    """A blob, a tree, a tag or an ordinary commit below ``refs/tea`` is passed over."""
    git = target.lab.git
    for number, what in enumerate(("HEAD:raw", "HEAD:up/spec.yml", "HEAD")):
        oid = git("rev-parse", what).strip()
        git("push", "-q", "origin", f"{oid}:refs/tea/jobs/{number:032x}")
    git("tag", "-a", "-m", "x", "t", "HEAD")
    git("push", "-q", "origin", "t:refs/tea/jobs/ffff", "HEAD:refs/tea/else/x")
    target.settle()


@pytest.mark.long
def test_trailers_that_name_another_commit_are_only_text(target: Target) -> None:
    """A person's commit that claims to carry results for another commit is itself what was pushed."""
    other = target.pushed
    target.lab.git("commit", "-q", "--allow-empty", "-m", "between")
    for claimed in (other, "x" * 40, "../../etc", "--all"):
        text = f"up: all\n\nTea-Pipeline: up\nTea-Key: {target.key}\nTea-Input: {claimed}\n"
        target.lab.git("commit", "-q", "--allow-empty", "-m", text)
        pushed = target.lab.push()
        advance = target.hands.plan()
        assert advance is not None
        assert (pushed, pushed) == (advance.commit, advance.origin)
    target.settle()


@pytest.mark.long
def test_the_git_annex_branch_decides_nothing(target: Target) -> None:
    """Location logs that somebody emptied or turned round lead to no other content."""
    git, lab = target.lab.git, target.lab
    git("switch", "-q", "git-annex")
    for log in lab.dataset.glob("???/???/*.log"):
        log.write_text(log.read_text().replace("s 1 ", "s 0 ") + "1s 1 not-a-uuid\n")
    git("commit", "-q", "-am", "edit")
    git("push", "-q", "origin", "git-annex")
    git("switch", "-q", "main")
    target.settle()
