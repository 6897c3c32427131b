"""Rules for stored outputs: a failure to store some is tried again once one of them is another."""

from __future__ import annotations

import pytest

from tea_runner.flow.output_storage_digest import output_storage_digest
from tests.twins.files import Content
from tests.twins.lab import MemoryLab
from tests.twins.plans import TWO, reasons

RULE = "* annex.largefiles=nothing\n"


def digest(lab: MemoryLab) -> str:
    """Of the rules for outputs of ``copy`` with ``output.path: sub/$1``."""
    rule, storages = lab.dataset.default_largefiles(), lab.dataset.storages()
    return output_storage_digest(lab.view().tree, "copy/sub", rule, storages)


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        (".gitattributes", True),
        ("copy/.gitattributes", True),
        ("copy/sub/.gitattributes", True),
        ("copy/sub/deep/er/.gitattributes", True),
        ("copy/other/.gitattributes", False),
        ("copy/sub/deep/out.txt", False),
    ],
)
def test_rules_above_there_and_below_count(lab: MemoryLab, path: str, counts: bool) -> None:
    """Other files do not, so that results of others make nothing run again."""
    lab.push({**TWO, "copy/sub/deep/er/x": "x"})
    before = digest(lab)
    lab.push({path: RULE})

    assert counts == (digest(lab) != before)


def test_a_failure_is_tried_again_after_git_annex_config(lab: MemoryLab) -> None:
    """The rule is on the ``git-annex`` branch, and as good as an attribute."""
    lab.push(TWO)
    lab.advance()
    (job, *_) = lab.queue.jobs()
    label, key = job.datums[0]
    tree = lab.view().tree
    attributes = {key: output_storage_digest(tree, "copy", lab.dataset.default_largefiles(), "")}
    assert lab.queue.claim(job.id) is not None
    lab.queue.fail(job, {key: "too large for git"}, attributes)
    lab.queue.finish(job.id, "failed")
    assert ("failed", "failed") == reasons(lab)[label]

    config: dict[str, Content | None] = {"config.log": "1s annex.largefiles anything\n"}
    lab.push(config, branch="git-annex")
    assert ("run", "new") == reasons(lab)[label]
