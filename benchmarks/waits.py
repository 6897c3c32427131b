"""``python -m benchmarks.waits``: waits of 500 repositories, one with 100,000 datums, as a picture.

A wait is the number of jobs that begin before a repository's first one, on any machine.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tea_runner.broker import redis_keys
from tea_runner.broker.connection import connect
from tea_runner.broker.fair_job_turns import JobTurns
from tea_runner.broker.redis_server import RedisServer
from tea_runner.core.repository_priority import parse_priorities
from tea_runner.host.tool_search_path import tool_path

PICTURE = Path(__file__).parents[1] / "docs" / "explanation" / "waits.svg"
#: Jobs of the large repository, of 50 datums each, and the others with two jobs each.
_LARGE, _OTHERS = 2000, 499
_WIDTH, _HEIGHT, _LEFT, _TOP = 640, 300, 70, 40
_COLOURS = ("#999999", "#1f6feb", "#b35900")


def waits(root: Path, rules: Sequence[str]) -> list[int]:
    """Jobs before the first one of each small repository, in the order of the pushes."""
    root.mkdir(parents=True)
    server = RedisServer(root, {**os.environ, "PATH": tool_path(os.environ)})
    server.start()
    try:
        connection = connect(server.url, 5.0)
        turns = JobTurns(connection, parse_priorities(rules))
        owners = ["lab/large"] * _LARGE
        owners += [f"lab/small{number:03d}" for number in range(_OTHERS) for _ in range(2)]
        for number, owner in enumerate(owners):
            job = redis_keys.job(f"{number:032x}")
            connection.hset(job, items=["repository", owner, "needs", "host", "state", "waiting"])
            turns.put(f"{number:032x}")
        first: dict[str, int] = {}
        for turn in range(len(owners)):
            owner = owners[int(turns.take("f" * 32)[0], 16)]
            first.setdefault(owner, turn)
        connection.close()
        return [first[f"lab/small{number:03d}"] for number in range(_OTHERS)]
    finally:
        server.stop()


def picture(curves: Sequence[tuple[str, Sequence[int]]]) -> str:
    """The curves as SVG."""
    most = max(max(values) for _, values in curves)
    body = []
    for (name, values), colour, row in zip(curves, _COLOURS, range(len(curves)), strict=True):
        points = " ".join(
            f"{_LEFT + _WIDTH * index / (len(values) - 1):.1f},"
            f"{_TOP + _HEIGHT * (1 - value / most):.1f}"
            for index, value in enumerate(values)
        )
        body.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at = f'x="{_LEFT + 16}" y="{_TOP + 60 + 18 * row}"'
        body.append(f'<text {at} fill="{colour}">{name}</text>')
    bottom = _TOP + _HEIGHT
    body += [
        f'<path d="M{_LEFT},{_TOP} V{bottom} H{_LEFT + _WIDTH}" fill="none" stroke="black"/>',
        f'<text x="{_LEFT - 8}" y="{_TOP + 4}" text-anchor="end">{most}</text>',
        f'<text x="{_LEFT - 8}" y="{bottom + 4}" text-anchor="end">0</text>',
        f'<text x="{_LEFT}" y="{_TOP - 16}">jobs that begin before the first one of a repository</text>',
        f'<text x="{_LEFT + _WIDTH}" y="{bottom + 20}" text-anchor="end">499 repositories with two '
        "jobs, in the order of their pushes</text>",
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" '
        f'height="{bottom + 34}" font-size="12" font-family="sans-serif">\n'
        '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def main() -> None:
    """Measure, and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        fair, preferred = waits(root / "a", ()), waits(root / "b", ["lab/large=8"])
    queue = [_LARGE + 2 * number for number in range(_OTHERS)]
    curves = [
        ("one queue, first in, first out", queue),
        ("turns of repositories", fair),
        ("the same, with eight turns for the large one", preferred),
    ]
    PICTURE.write_text(picture(curves), encoding="utf-8")
    print(f"longest waits: {max(queue)}, {max(fair)}, {max(preferred)} jobs")


if __name__ == "__main__":
    main()
