"""The time of ``tea-runner run`` by the number of pipelines."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.dataset import Dataset

_SPEC = """\
pipeline: {{name: p{number:03}}}
input: {{pfs: {{repo: {source}, glob: "/*.txt", name: in}}}}
transform: {{cmd: [sh, -c, 'cd $PFS/in; for f in *; do {{ cat $f; echo {number}; }} >$PFS/out/$f; done']}}
"""


def pipelines(count: int, source: Callable[[int], str]) -> dict[str, str]:
    """Three datums for each of so many pipelines, and where each reads them."""
    files = {f"raw/{number}.txt": f"{number}\n" for number in range(3)}
    for number in range(count):
        spec = _SPEC.format(number=number, source=source(number))
        files[f"p{number:03}/spec.yml"] = spec
    return files


def seconds_of_a_run(folder: Path, files: dict[str, str]) -> float:
    """Processor time of a run from nothing, with all programs that it starts.

    Other processes on the machine have little effect on it.
    """
    dataset = Dataset(folder, files)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = dataset.tea("run", "-y", "--sandbox", "off")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert 0 == said.code, said.err
    assert f"p{len(files) - 4:03} [" in said.out
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.long
@pytest.mark.parametrize(
    ("few", "source"),
    [
        pytest.param(30, lambda _: "raw", id="side by side"),
        pytest.param(15, lambda n: f"p{n - 1:03}" if n else "raw", id="chain"),
    ],
)
def test_four_times_the_pipelines_take_four_times_as_long(
    tmp_path: Path, few: int, source: Callable[[int], str]
) -> None:
    """No step of a run looks at all pipelines in a way that counts."""
    small = seconds_of_a_run(tmp_path / "few", pipelines(few, source))
    large = seconds_of_a_run(tmp_path / "many", pipelines(4 * few, source))
    assert large <= 4.4 * small, f"{few}: {small:.1f} s, {4 * few}: {large:.1f} s"
