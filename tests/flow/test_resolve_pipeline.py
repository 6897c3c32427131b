"""A resolved specification: everything that the keys are made of."""

from __future__ import annotations

import json

from tea_runner.core.planning.resolved_pipeline_file import document, recompute_keys
from tests.twins.files import Annexed
from tests.twins.lab import MemoryLab
from tests.twins.plans import TWO, plan_of
from tests.twins.queries import resolve
from tests.twins.specs import pfs, spec


def test_the_document_alone_gives_the_keys_of_the_plan(lab: MemoryLab) -> None:
    """Also after it was JSON; with code, an image and annexed inputs."""
    config = '[datalad "containers.tool"]\n\timage = img.sif\n\tcmdexec = {img} {cmd}\n'
    lab.push(
        {
            **TWO,
            ".datalad/config": config,
            "img.sif": Annexed("image"),
            "raw/c/deep": Annexed("three"),
            "code/tool.py": "1",
            "copy/spec.yml": spec("copy", pfs(glob="/*"), transform={"image": "tool"}),
        }
    )
    text = json.dumps(document(lab.tip(), "", [resolve(lab, "copy")]))
    found = recompute_keys(json.loads(text))

    assert [(datum, key) for _, datum, key, _ in found] == [
        (d.label, d.key) for d in plan_of(lab).decisions
    ]
    assert all(made == stated for _, _, made, stated in found)


def test_files_are_named_where_they_lie(lab: MemoryLab) -> None:
    """With the annex key where there is one."""
    lab.push({**TWO, "raw/a": Annexed("one"), "code/tool.py": "1"})
    row = resolve(lab, "copy")
    first = row["datums"][0]["inputs"][0]["files"][0]

    assert [each["path"] for each in row["code"]] == ["code/tool.py"]
    assert "raw/a" in json.dumps(first)
    assert Annexed("one").key in json.dumps(first)
