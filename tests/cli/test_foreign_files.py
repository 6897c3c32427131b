"""Files called spec.json that are of other programs stop nothing."""

from __future__ import annotations

import pytest

from tests.cli.dataset import Dataset

FOREIGN = {
    "api/spec.json": '{"openapi": "3.0.0", "paths": {}}',
    "list/spec.yml": "- a\n- b\n",
    "broken/spec.yaml": "a: [1\n",
    "scan/spec.json": '{"Repetition": NaN, "input": {"transforms": [1]}}',
    "empty/spec.yml": "",
}


def test_files_of_other_programs_are_left_out(dataset: Dataset) -> None:
    """lint names each; plan and run do their work."""
    dataset.write(FOREIGN)
    dataset.save()

    shown = dataset.tea("lint")
    assert 0 == shown.code, shown
    for path in FOREIGN:
        assert any(path in line and "left out" in line for line in shown.lines), path
    assert 0 == dataset.tea("plan").code
    done = dataset.tea("run", "-y")
    assert 0 == done.code, done


@pytest.mark.long
@pytest.mark.parametrize("text", ["pipeline: {name: x}\n", "transform: [\n", '{"transform": 1'])
def test_a_pipeline_with_mistakes_is_ours(dataset: Dataset, text: str) -> None:
    """It is an error, and not a remark."""
    dataset.write({"other/spec.json": text})
    dataset.save()

    assert 1 == dataset.tea("lint").code


def test_tea_ignore_hides_a_folder(dataset: Dataset) -> None:
    """And the folders below, whatever they hold."""
    dataset.write({"tools/.tea-ignore": "", "tools/a/spec.yml": "pipeline: 1\n"})
    dataset.save()

    shown = dataset.tea("lint")
    assert (0, False) == (shown.code, "tools" in shown.out)
