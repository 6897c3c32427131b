"""Logs in pieces: what is shown, what was cut, what comes while one looks."""

from __future__ import annotations

import redis

from tea_runner.broker.job_logs import JobLog, LogReader
from tea_runner.wiring import Site

JOB = "0" * 32


def read_log(connection: redis.Redis, job_id: str) -> bytes:
    """The whole log, with a line for the dropped bytes."""
    reader = LogReader(connection, job_id)
    return b"".join(reader.read(0, reader.size()))


def test_a_small_log_is_read_as_it_was_written(site: Site) -> None:
    """Every byte, in any two pieces."""
    log = JobLog(site.redis, JOB, 8192)
    log.start()
    data = bytes(range(256)) * 20
    for start in range(0, len(data), 100):
        log.write(data[start : start + 100])
    reader = site.log(JOB)
    assert data == read_log(site.redis, JOB)
    assert reader.size() == len(data)
    for at in (0, 1, 4095, 4096, 4097, len(data)):
        assert data == b"".join([*reader.read(0, at), *reader.read(at, reader.size())])


def test_a_flood_keeps_head_and_tail_and_says_what_is_missing(site: Site) -> None:
    """Beyond the limit the middle is counted, and a range is the same part of the whole."""
    log = JobLog(site.redis, JOB, 4096)
    log.start()
    for number in range(3000):
        log.write(b"%08d\n" % number)
    whole = read_log(site.redis, JOB)
    reader = site.log(JOB)
    assert whole.startswith(b"00000000\n00000001\n")
    assert whole.endswith(b"00002999\n")
    assert b"bytes were not kept" in whole
    assert len(whole) == reader.size() < 10_000
    assert whole[2000:2100] == b"".join(reader.read(2000, 2100))
    assert whole[-50:] == b"".join(reader.read(reader.size() - 50, reader.size()))


def test_following_shows_each_byte_once(site: Site) -> None:
    """What was printed since the last look, whether it is head or tail."""
    log = JobLog(site.redis, JOB, 4096)
    log.start()
    reader = site.log(JOB)
    assert reader.more() == b""
    seen = b""
    for number in range(300):
        log.write(b"line %d\n" % number)
        seen += reader.more()
    while piece := reader.more():
        seen += piece
    assert b"".join(b"line %d\n" % number for number in range(300)) == seen


def test_following_a_flood_says_what_it_missed(site: Site) -> None:
    """What was cut between two looks is told, and what follows is not lost."""
    log = JobLog(site.redis, JOB, 4096)
    log.start()
    log.write(b"first\n")
    reader = site.log(JOB)
    assert reader.more() == b"first\n"
    for number in range(3000):
        log.write(b"%08d\n" % number)
    seen = b""
    while piece := reader.more():
        seen += piece
    assert b"bytes were not kept" in seen
    assert seen.endswith(b"00002999\n")


def test_another_attempt_is_announced(site: Site) -> None:
    """A log that begins anew is shown from its start, behind a line that says so."""
    log = JobLog(site.redis, JOB, 4096)
    log.start()
    log.write(b"a long first attempt\n")
    reader = site.log(JOB)
    reader.more()
    log.start()
    log.write(b"second\n")
    assert b"another attempt" in reader.more()
    assert reader.more() == b"second\n"


def test_lines_written_together_are_sent_together(site: Site) -> None:
    """Nothing is lost: what is held back arrives with the next look, and at the end."""
    log = JobLog(site.redis, JOB, 4096)
    with log.together(60.0):
        log.write(b"one\n")
        log.write(b"two\n")
        assert b"one\n" == read_log(site.redis, JOB)
        log.flush()
        assert b"one\ntwo\n" == read_log(site.redis, JOB)
        log.write(b"three\n")
    log.write(b"four\n")

    assert b"one\ntwo\nthree\nfour\n" == read_log(site.redis, JOB)
