"""What a worker measures of datums and jobs, for pages; none of it is in results."""

from __future__ import annotations

import pytest

from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec, tree

#: Uses 0.3 s of processor time or more, and fails for one file.
BUSY = (
    "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done; "
    'if grep -q bad "$PFS"/in/*; then echo "ValueError: matrix is singular" >&2; exit 1; fi; '
)


def measured(lab: Lab, command: str, files: dict[str, str], **more: object) -> Hands:
    """A host that planned and computed one push."""
    lab.create(files={**ATTRIBUTES, **files, "up/spec.yml": spec("up", command, **more)})
    lab.push()
    hands = Hands(lab)
    hands.plan()
    hands.work()
    return hands


def test_each_datum_has_its_time_and_bytes(lab: Lab) -> None:
    """Of one that failed, what it read; of one that succeeded, what it wrote, too."""
    files = {"raw/a.txt": "aaaa\n", "raw/b.txt": "bad\n"}
    hands = measured(lab, BUSY + COPY, files, datum_tries=1)
    run = hands.site.runs.latest(1)[0]
    jobs = run.pipelines[0].jobs
    rows = {row.key: row for each in hands.site.measures.get(jobs).values() for row in each}
    labels = {datum.label: rows[datum.key] for datum in run.pipelines[0].datums}

    good, bad = labels["in:a.txt"], labels["in:b.txt"]
    assert (5, 5) == (good.read, good.written)
    assert (4, None) == (bad.read, bad.written)
    assert (good.seconds or 0) > 0
    assert 0.05 < (good.cpu or 0) < 60
    hands.close()


def test_a_job_says_where_its_time_went(lab: Lab) -> None:
    """Fetching, running and storing, in seconds; together at most the time of the job."""
    hands = measured(lab, COPY, {"raw/a.txt": "a\n"})
    jobs = hands.site.runs.latest(1)[0].pipelines[0].jobs
    facts = hands.site.jobs.facts(jobs)[jobs[0]]

    parts = [facts.fetch_seconds, facts.run_seconds, facts.store_seconds]
    assert None not in parts
    assert 0 < sum(each or 0 for each in parts) <= (facts.seconds or 0) + 0.01
    hands.close()


def test_measures_are_not_in_results(lab: Lab) -> None:
    """Nothing of the results commit has a time of a command, so that it is the same again."""
    hands = measured(lab, COPY, {"raw/a.txt": "a\n"})
    job = hands.site.runs.latest(1)[0].pipelines[0].jobs[0]
    seconds = hands.site.measures.get([job])[job][0].seconds
    hands.plan()
    texts = tree(lab, "up").values()
    assert [] == [text for text in texts if f"{seconds}" in text]
    hands.close()


def test_a_job_notes_what_ran_and_small_outputs(lab: Lab) -> None:
    """Pictures by their bytes, first lines of tables; pages of HTML and SVG are listed only."""
    make = (
        f'{COPY}; echo iVBORw0KGgowMDAw | base64 -d > "$PFS/out/p.png"; '
        'echo "<svg/>" > "$PFS/out/q.svg"; echo "<b>" > "$PFS/out/r.html"; '
        'for n in 1 2 3 4 5 6 7 8 9; do echo "$n,x"; done > "$PFS/out/t.csv"; '
        'echo "<svg/>" > "$PFS/out/z.png"'
    )
    hands = measured(lab, make, {"raw/a.txt": "aaaa\n"})
    job = hands.site.runs.latest(1)[0].pipelines[0].jobs[0]
    details = hands.site.measures.details(job)
    assert details is not None
    (datum,) = details.datums.values()
    assert (("raw/a.txt", 5),) == datum.inputs
    assert ("up/p.png", 12) in datum.outputs
    assert "up/spec.yml" == details.spec_path
    kinds = {each.path: each.type for each in datum.previews}
    assert {"up/a.txt": "text/plain", "up/p.png": "image/png", "up/t.csv": "text/plain"} == kinds
    assert b"6,x" in datum.previews[2].data
    assert b"7,x" not in datum.previews[2].data
    hands.close()


@pytest.mark.long
def test_a_job_notes_the_pictures_that_it_replaces(lab: Lab) -> None:
    """Those that have changed, in git or annexed; the first ones replace none."""
    make = (
        'for f in p.png q.big; do { echo iVBORw0KGgo= | base64 -d; cat "$PFS"/in/*; } > '
        '"$PFS/out/$f"; done; echo iVBORw0KGgo= | base64 -d > "$PFS/out/same.png"'
    )
    hands = measured(lab, make, {"raw/a.txt": "old\n"})
    hands.plan()
    first = hands.site.runs.latest(1)[0].pipelines[0].jobs[0]
    lab.pull()
    lab.write({"raw/a.txt": "new\n"})
    lab.save()
    lab.push()
    hands.plan()
    hands.work()
    second = hands.site.runs.latest(1)[0].pipelines[0].jobs[0]
    head = b"\x89PNG\r\n\x1a\n"
    found = []
    for job in (first, second):
        details = hands.site.measures.details(job)
        assert details is not None
        (datum,) = details.datums.values()
        found.append({each.path: (each.data, each.before) for each in datum.previews})
    old, new = head + b"old\n", head + b"new\n"
    assert {"up/p.png": (old, b""), "up/q.big": (old, b""), "up/same.png": (head, b"")} == found[0]
    assert {"up/p.png": (new, old), "up/q.big": (new, old), "up/same.png": (head, b"")} == found[1]
    hands.close()
