"""A planner that answers what the pages ask, while a test presses their buttons."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tea_runner.broker import redis_keys
from tea_runner.core.planning.cancel_retry_recompute import RunAction
from tea_runner.wiring import Site
from workers.cancel_retry_recompute import RunActionAnswers


@contextmanager
def planner_at_work(site: Site, handle: Callable[[str], object] | None = None) -> Iterator[None]:
    """Answer what is asked; by default actions alone.

    :param handle: does an item of the planners' queue.
    """
    ended = threading.Event()
    pattern = redis_keys.question("*")

    def act(item: str) -> None:
        action = site.questions.take(json.loads(item)["question"])
        if isinstance(action, RunAction):
            RunActionAnswers(site).carry_out(action)

    def answer() -> None:
        while not ended.wait(0.01):
            for key in list(site.redis.scan_iter(match=pattern, count=1000)):
                name = key.decode().rpartition(":")[2]
                (handle or act)(json.dumps({"question": name}))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
