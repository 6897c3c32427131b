"""Follow the log of a job on a server, by the server-sent events of its API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from tea_runner.cli.server_client import ServerClient

#: Seconds before a connection that ended is made again.
_PAUSE = 1.0


def follow_log(server: ServerClient, job: str) -> Iterator[tuple[int, str]]:
    """The text of a log as it is written, each piece with the byte after it, until the job ends.

    The first byte again, after a larger one, is that of another attempt.

    :raises TeaError: when the server does not answer.
    """
    place = 0
    while True:
        last = ""
        for last, data, at in server.events("jobs", job, "log", "events", start=place):
            if last == "text" and at.isdigit():
                place = int(at)
                yield place, str(json.loads(data))
            elif last in ("end", "restart"):
                break
        if last == "end":
            return
        if last == "restart":
            place = 0
        else:
            # Servers and proxies end long connections.
            time.sleep(_PAUSE)
