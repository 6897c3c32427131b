"""Rows of manifests that nobody computed, or that were computed under other conditions.

Everybody who may push can write any file.  Only what the runner itself made counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tea_runner.core.results.manifest import Manifest
from tea_runner.core.results.manifest_statement import (
    format_statement,
    join_signature,
    parse_statement,
    split_signature,
)
from tea_runner.core.results.manifest_text import format_head, parse_head
from tea_runner.core.results.run_conditions import RunConditions
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.read_manifest import read_manifest
from tea_runner.flow.signed_manifest_rows import manifest_signer
from tests.twins.dataset import MemoryDataset
from tests.twins.lab import MemoryLab, write_key
from tests.twins.plans import TWO, reasons
from tests.twins.specs import pfs, spec

FORGED = "made up\n"


@pytest.fixture
def lab() -> MemoryLab:
    """A dataset whose results are settled on ``main``, the only trusted branch."""
    made = MemoryLab(MemoryDataset(trusted=["main"]))
    made.push({**TWO, "code.txt": "1"})
    made.settle()
    return made


def files(lab: MemoryLab, commit: str = "") -> dict[str, str]:
    """All files of a commit, or of the tip of ``main``."""
    return {
        path: (lab.dataset.objects.raw(entry.oid, "blob") or b"").decode()
        for path, entry in lab.entries("", commit=commit).items()
    }


def forged_row(lab: MemoryLab, data: str) -> dict[str, str]:
    """The files of a branch that computes nothing: a row with the key of *data*, and its bytes.

    The key is what a plan of a commit with that data shows to everybody.
    """
    aside = MemoryLab(MemoryDataset(trusted=["main"]))
    aside.push({**TWO, "raw/new": data})
    aside.dataset.signer = "mallory"
    aside.dataset.trusted_signers = {"mallory"}
    aside.settle(
        command=lambda label, key: {"out": FORGED} if label == "in:new" else write_key(label, key)
    )
    made = files(aside)
    return {
        path: text
        for path, text in made.items()
        if path.startswith("copy/") and not path.endswith("spec.yml")
    }


def outcome(lab: MemoryLab) -> tuple[list[str], str]:
    """What is computed after data was pushed, and what is published for it."""
    _, computed = lab.settle()
    return computed, lab.files("copy").get("in-new.txt", lab.files("copy").get("out", ""))


def test_a_row_that_came_and_went_before_a_merge_is_no_result(lab: MemoryLab) -> None:
    """The difference that a reviewer sees is a typo; the forged row is in the history only."""
    before = lab.tip()
    honest = files(lab)
    lab.push(forged_row(lab, "later"), branch="typo", parent=before)
    lab.push({**{p: honest.get(p) for p in forged_row(lab, "later")}, "README": "x"}, branch="typo")
    merge(lab, "typo")
    lab.push({"raw/new": "later"})
    computed, published = outcome(lab)

    assert computed == ["in:new"]
    assert published != FORGED


def merge(lab: MemoryLab, branch: str) -> None:
    """Merge a branch into ``main``, with its tree."""
    store = lab.dataset.writer()
    lab.seconds += 100
    tree = lab.dataset.objects.commit(lab.tip(branch)).tree
    parents = [lab.tip(), lab.tip(branch)]
    oid = store.commit(tree, parents, "merge\n", who="Ada <a@b>", seconds=lab.seconds, signed=True)
    store.flush()
    lab.dataset.forge["refs/heads/main"] = oid


def squash(lab: MemoryLab, branch: str) -> None:
    """One new commit upon ``main`` with the tree of a branch."""
    store = lab.dataset.writer()
    lab.seconds += 100
    tree = lab.dataset.objects.commit(lab.tip(branch)).tree
    oid = store.commit(tree, [lab.tip()], "squash\n", who="Ada <a@b>", seconds=lab.seconds)
    store.flush()
    lab.dataset.forge["refs/heads/main"] = oid


def fast_forward(lab: MemoryLab, branch: str) -> None:
    """Move ``main`` to the tip of a branch."""
    lab.dataset.forge["refs/heads/main"] = lab.tip(branch)


def rebase(lab: MemoryLab, branch: str) -> None:
    """A commit of another person is upon ``main`` first."""
    lab.push({"README": "other"})
    squash(lab, branch)


ADOPTIONS = [merge, squash, fast_forward, rebase]


@pytest.mark.parametrize("adopt", ADOPTIONS)
def test_a_forged_row_is_computed_again_after_it_was_merged(
    lab: MemoryLab, adopt: Callable[[MemoryLab, str], None]
) -> None:
    """However it came to the trusted branch; also if the person signs merges."""
    lab.push({**forged_row(lab, "later"), "raw/new": "later"}, branch="evil", parent=lab.tip())
    adopt(lab, "evil")
    computed, published = outcome(lab)

    assert "in:new" in computed
    assert published != FORGED
    assert "out" not in lab.files("copy")


@pytest.mark.parametrize("adopt", ADOPTIONS)
def test_an_honest_result_of_a_branch_runs_never_again(
    lab: MemoryLab, adopt: Callable[[MemoryLab, str], None]
) -> None:
    """What the runner computed for a branch counts after the merge."""
    lab.push({"raw/new": "later"}, branch="feature", parent=lab.tip())
    assert lab.settle("feature")[1] == ["in:new"]
    adopt(lab, "feature")

    assert outcome(lab)[0] == []


def test_rewritten_history_changes_nothing(lab: MemoryLab) -> None:
    """Without a parent, the rows are proven by their signature alone."""
    store = lab.dataset.writer()
    tree = lab.dataset.objects.commit(lab.tip()).tree
    oid = store.commit(tree, [], "squashed\n", who="Ada <a@b>", seconds=lab.seconds + 9)
    store.flush()
    lab.dataset.forge["refs/heads/main"] = oid

    assert outcome(lab)[0] == []


def test_a_forged_row_beside_honest_ones_leaves_with_the_next_results_commit(
    lab: MemoryLab,
) -> None:
    """The committer never signs a row that it has not proven; honest rows stay."""
    manifest = read_manifest(lab.view().tree, "copy")
    rows = [
        row._replace(contents=(f"git:{blob(lab, FORGED)}",)) if row.datum == "in:a" else row
        for row in manifest.rows
    ]
    edited = format_head(Manifest.of(rows, parts=manifest.parts)).decode()
    lab.push({"copy/manifest.tsv": edited, "copy/in-a.txt": FORGED})
    plan = reasons(lab)

    assert plan["in:a"] == ("reuse", "known")
    assert plan["in:b"] == ("current", "current")
    assert outcome(lab)[0] == []
    assert lab.files("copy")["in-a.txt"] != FORGED


def blob(lab: MemoryLab, text: str) -> str:
    """Store a blob and return its id."""
    store = lab.dataset.writer()
    oid = store.add("blob", text.encode())
    store.flush()
    return oid


@pytest.mark.parametrize("where", ["x/", "copy/x/", ""])
def test_a_manifest_that_a_command_wrote_is_no_result(lab: MemoryLab, where: str) -> None:
    """Wherever it is, and whatever signature it has."""
    made = forged_row(lab, "later")
    moved = {path.replace("copy/", where): text for path, text in made.items()}
    lab.push(moved)
    lab.push({"raw/new": "later"})
    computed, published = outcome(lab)

    assert "in:new" in computed
    assert published != FORGED


def test_a_signed_manifest_of_another_home_is_no_signature_here(lab: MemoryLab) -> None:
    """The statement names its home."""
    lab.push({"copy2/spec.yml": spec("copy2", pfs(glob="/*")), **moved(lab, "copy/", "copy2/")})
    text = lab.text("copy2/manifest.tsv")

    assert len(parse_head(text.encode()).rows) == 2
    assert manifest_signer(lab.dataset, lab.view().tree, "copy2") == ""
    assert manifest_signer(lab.dataset, lab.view().tree, "copy") == "lab"


def moved(lab: MemoryLab, old: str, new: str) -> dict[str, str]:
    """The files below a home, below another one."""
    return {
        new + path[len(old) :]: text
        for path, text in files(lab).items()
        if path.startswith(old) and not path.endswith("spec.yml")
    }


def resigned(lab: MemoryLab, signer: str, **changes: str) -> dict[str, str]:
    """The signature of the manifest at ``copy``, with another signer or statement."""
    (path,) = (path for path in files(lab) if path.startswith("copy/manifest.sig/"))
    statement = parse_statement(split_signature(files(lab)[path].encode())[0])
    assert statement is not None
    text = format_statement(replace(statement, **changes))
    own, lab.dataset.signer = lab.dataset.signer, signer
    signature = lab.dataset.sign_results(text)
    lab.dataset.signer = own
    return {path: join_signature(text, signature).decode()}


def edited_row(lab: MemoryLab) -> dict[str, str | None]:
    """A manifest that claims other bytes for a datum, which has these bytes in the tree."""
    manifest = read_manifest(lab.view().tree, "copy")
    rows = [
        row._replace(key="f" * 64, contents=(f"git:{blob(lab, FORGED)}",)) for row in manifest.rows
    ]
    return {"copy/manifest.tsv": format_head(Manifest.of(rows, parts=manifest.parts)).decode()}


def trust(lab: MemoryLab, *signers: str) -> None:
    """Start again with settings that list these signers."""
    lab.dataset.trusted_signers = set(signers)
    lab.dataset._rows.clear()
    lab.planner = IncrementalPlanner()


@pytest.mark.parametrize("signer", ["mallory", "lab "])
def test_a_signer_who_is_not_trusted_proves_nothing(lab: MemoryLab, signer: str) -> None:
    """Its rows are compared with those of the history, which prove them here."""
    lab.push(resigned(lab, signer))
    assert {"current"} == {action for action, _ in reasons(lab).values()}
    trust(lab)

    assert {"run"} == {action for action, _ in reasons(lab).values()}


def test_a_removed_signer_proves_nothing_any_more_and_a_rotated_key_still_does(
    lab: MemoryLab,
) -> None:
    """What was signed by the former key of this installation is not computed again."""
    lab.dataset.signer = "new"
    trust(lab, "new", "lab")
    assert outcome(lab)[0] == []
    trust(lab, "new")

    assert outcome(lab)[0] == ["in:a", "in:b"]


# -- conditions of a result of a branch --------------------------------------------------------


def computed_on_branch(
    lab: MemoryLab, ran: RunConditions, *, recovered: bool = False, branch: str = "feature"
) -> list[str]:
    """Compute a datum on a branch under these conditions, merge it; the datums that ``main`` runs."""
    lab.push({"raw/new": "later"}, branch=branch, parent=lab.tip())
    lab.advance(branch)
    (job,) = lab.queue.jobs()
    label, key = job.datums[0]
    assert lab.queue.claim(job.id) is not None
    result = lab.result(key, {} if recovered else write_key(label, key))
    lab.put_results(job.ref, [replace(result, ran=ran, recovered=recovered)])
    lab.queue.finish(job.id, "done")
    lab.settle(branch)
    merge(lab, branch)
    return lab.settle()[1]


def test_a_result_under_the_same_conditions_counts(lab: MemoryLab) -> None:
    """It was computed by this server in the sandbox, without anything that main would not give."""
    assert computed_on_branch(lab, RunConditions(scope="branch")) == []


@pytest.mark.parametrize(
    "ran",
    [
        RunConditions(scope="branch", network=True),
        RunConditions(scope="branch", secrets=True),
        RunConditions(scope="branch", memory=1000),
        RunConditions(scope="branch", timeout=1.0),
        RunConditions(scope="pull"),
    ],
    ids=str,
)
def test_a_result_under_other_conditions_is_computed_again(
    lab: MemoryLab, ran: RunConditions
) -> None:
    """With a network, secrets, lower limits, or for a pull request."""
    branch = "pull/1" if ran.scope == "pull" else "feature"
    assert computed_on_branch(lab, ran, branch=branch) == ["in:new"]


def test_a_recovered_datum_of_a_branch_is_computed_again(lab: MemoryLab) -> None:
    """Its command did not end by itself."""
    assert computed_on_branch(lab, RunConditions(scope="branch"), recovered=True) == ["in:new"]


def test_limits_that_are_as_high_as_those_of_main_count() -> None:
    """Not only the same ones."""
    lab = MemoryLab(MemoryDataset(trusted=["main"]))
    limits = {"resource_limits": {"memory": 1000}, "datum_timeout": "2s"}
    lab.push({**TWO, "copy/spec.yml": spec("copy", pfs(glob="/*"), **limits)})
    lab.settle()

    assert computed_on_branch(lab, RunConditions(scope="branch", memory=1000, timeout=3.0)) == []


def test_the_operator_may_reuse_trusted_results_only() -> None:
    """Setting trust.reuse."""
    lab = MemoryLab(MemoryDataset(trusted=["main"]), reuse_branches=False)
    lab.push(TWO)
    lab.settle()

    assert computed_on_branch(lab, RunConditions(scope="branch")) == ["in:new"]


@pytest.mark.parametrize(("strict", "again"), [(False, []), (True, ["in:new"])])
def test_an_input_with_an_unsafe_hash_is_computed_again(strict: bool, again: list[str]) -> None:
    """Where safe hashes are required: another file with the same MD5 can be made."""
    lab = MemoryLab(MemoryDataset(trusted=["main"]))
    lab.planner.cache.strict_hashes = strict
    lab.push({**TWO, ".gitattributes": "* annex.backend=MD5E\n"})
    lab.settle()

    assert computed_on_branch(lab, RunConditions(scope="branch")) == again


def test_an_input_with_a_safe_hash_counts_where_those_are_required() -> None:
    """SHA-256 in the annex."""
    lab = MemoryLab(MemoryDataset(trusted=["main"]))
    lab.planner.cache.strict_hashes = True
    lab.push({**TWO, ".gitattributes": "* annex.backend=SHA256E\n"})
    lab.settle()

    assert computed_on_branch(lab, RunConditions(scope="branch")) == []
