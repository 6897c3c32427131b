"""The last line that a failed command printed: beside its exit code, without secrets, short."""

from __future__ import annotations

import re

import pytest

from tea_runner.core.redact import Redactor
from tests.e2e.hands import Hands
from tests.e2e.lab import Lab
from tests.e2e.pipelines import COPY, spec
from workers.last_output_line import LastLine

_STATUS = "tea-runner/up"


def _line(*chunks: bytes, secrets: tuple[bytes, ...] = ()) -> str:
    kept = LastLine()
    for chunk in chunks:
        kept.write(chunk)
    return kept.text(Redactor(secrets))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((), ""),
        ((b"\n \n",), ""),
        ((b"first\nValueError: matrix is ", b"singular\n\n"), "ValueError: matrix is singular"),
        ((b"10 %\r90 %\rgone\r",), "gone"),
        ((b"\x1b[31mred\x1b[0m\n",), "red"),
        ((b"a\x00b\xff\xe2\x80\xae\n",), "a\\x00b\\xff\\u202e"),
        ((b"x" * 9000 + b"\nlast\n",), "last"),
    ],
)
def test_the_last_line_that_is_not_blank(chunks: tuple[bytes, ...], expected: str) -> None:
    """Without colours, of progress displays the last state, and nothing invisible."""
    assert expected == _line(*chunks)


def test_a_long_line_is_cut() -> None:
    """At 200 characters; of a line that is longer than all that is kept, nothing is shown."""
    assert "y" * 199 + "…" == _line(b"y" * 1000)
    assert "" == _line(b"y" * 100_000)


def test_no_secret_is_in_it() -> None:
    """Also not the end of one that begins in an earlier chunk, or in an earlier line."""
    secret = b"hunter2-hunter2\nsecond line of it"
    assert "key is ***" == _line(b"key is hunter2-", b"hunter2\n", secrets=(b"hunter2-hunter2",))
    assert "***" == _line(b"hunter2-hunter2\nsecond ", b"line of it\n", secrets=(secret,))
    assert "" == _line(
        b"hunter2-hunter2" + b"z" * 5000, secrets=(b"hunter2-hunter2" + b"z" * 5000,)
    )


def test_a_status_says_how_long_it_took_and_the_last_line(forged: Lab, hands: Hands) -> None:
    """Of the first failed datum; while it runs it says neither."""
    failing = "echo begun; echo ValueError: matrix is singular >&2; sleep 0.1; exit 3"
    forged.write({"up/spec.yml": spec("up", failing, datum_tries=1)})
    commit = forged.save()
    forged.push()
    hands.plan()
    hands.work()
    hands.plan()

    state, text = hands.site.forge.commit_statuses(forged.name, commit)[_STATUS]
    expected = r"1 of 1 failed in [\d.]+ s: the command exited 3: ValueError: matrix is singular"
    assert "failure" == state
    assert re.fullmatch(expected, text), text
    run = hands.site.runs.latest()[0]
    job = hands.site.jobs.facts(run.pipelines[0].jobs)[run.pipelines[0].jobs[0]]
    assert "the command exited 3: ValueError: matrix is singular" == job.error
    # The log has the line already.
    log = b"".join(hands.site.log(job.id).read(0, 1 << 20))
    assert 1 == log.count(b"matrix is singular")


@pytest.mark.long
def test_a_duration_is_posted_once(forged: Lab, hands: Hands) -> None:
    """A later plan of the same commit knows when the pipeline ended."""
    forged.write({"up/spec.yml": spec("up", f"sleep 0.1; {COPY}")})
    commit = forged.save()
    forged.push()
    hands.plan()
    hands.work()
    hands.plan()
    first = hands.site.forge.commit_statuses(forged.name, commit)[_STATUS]
    assert re.fullmatch(r"1 done in [\d.]+ s", first[1]), first

    hands.plan()
    assert first == hands.site.forge.commit_statuses(forged.name, commit)[_STATUS]
