"""A push to the embedded forge: until the first job starts, and until the results commit is there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.figure import Book, Plan
from tea_runner.broker import redis_keys
from tea_runner.broker.connection import connect
from tea_runner.cli.embedded_forge_setup import free_port
from tea_runner.cli.local_stack import LocalStack
from tea_runner.cli.main import Context
from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path

START = "push to the first job's start, p50"
RESULTS = "push to the results commit of one trivial datum, p50"

SPEC = """\
pipeline: {name: copy}
input: {pfs: {repo: in, glob: /}}
transform: {cmd: [sh, -c, 'cp "$PFS"/in/* "$PFS"/out/']}
"""


def measure(root: Path, book: Book, plan: Plan) -> None:
    """One dataset with one datum, pushed again and again."""
    root.mkdir(parents=True, exist_ok=True)
    flags: dict[str, object] = {
        "state": str(root / "state"),
        "web.port": str(free_port()),
        "sandbox.kind": "off",
    }
    context = Context(directory=root, config=None, flags=flags, variables=dict(os.environ))
    with LocalStack(context, workers=1) as stack:
        person = _Person(stack, root / "dataset")
        person.push("first")
        for number in range(max(10, 10 * plan.rounds)):
            began, start, end, pushed = person.push(str(number))
            book.add(START, "floor: the git push itself", pushed - began)
            book.add(START, "tea-runner", start - began, goal=0.2)
            book.add(RESULTS, "tea-runner", end - began, goal=0.5)


class _Person:
    def __init__(self, stack: LocalStack, dataset: Path) -> None:
        self.stack, self.dataset = stack, dataset
        config = {"init.defaultBranch": "main", "user.name": "a", "user.email": "a@b"}
        self.env = {**os.environ, "PATH": tool_path(os.environ)}
        self.env["GIT_CONFIG_COUNT"] = str(len(config))
        for number, (name, value) in enumerate(config.items()):
            self.env[f"GIT_CONFIG_KEY_{number}"] = name
            self.env[f"GIT_CONFIG_VALUE_{number}"] = value
        access = stack.embedded
        assert access is not None
        self.do("datalad", "-l", "error", "create", str(dataset), cwd=dataset.parent)
        (dataset / ".gitattributes").write_text("* annex.largefiles=nothing\n")
        (dataset / "copy").mkdir()
        (dataset / "copy" / "spec.yml").write_text(SPEC)
        plain = access.url.removeprefix("http://")
        self.url = f"http://{access.user}:{access.password}@{plain}/{access.user}/data.git"
        self.do("git", "remote", "add", "origin", self.url)
        self.do("git", "config", "remote.origin.annex-ignore", "true")
        self.do(
            "git",
            "annex",
            "initremote",
            "store",
            "type=directory",
            f"directory={access.store}",
            "encryption=none",
            "autoenable=true",
        )
        self.do("git", "add", "-A")
        self.do("git", "commit", "-q", "-m", "begin")
        self.redis = connect(f"unix://{stack.state / 'redis.sock'}")

    def do(self, *argv: str, cwd: Path | None = None) -> str:
        done = process.run(argv, env=self.env, cwd=cwd or self.dataset)
        return bytes(done.stdout).decode().strip()

    def push(self, text: str) -> tuple[float, float, float, float]:
        """When the push began, the first job started, the results were there, git had ended."""
        (self.dataset / "in").mkdir(exist_ok=True)
        (self.dataset / "in" / "x.txt").write_text(text)
        self.do("git", "add", "-A")
        self.do("git", "commit", "-q", "-m", text)
        before = self.jobs()
        began = time.perf_counter()
        self.do("git", "push", "-q", "origin", "main", "git-annex")
        pushed = time.perf_counter()
        start = self._until(lambda: self._started(before))
        commit = self.do("git", "rev-parse", "HEAD")
        end = self._until(lambda: self._tip() not in ("", commit))
        self.do("git", "pull", "-q", "--ff-only", "origin", "main")
        self.do("git", "fetch", "-q", "origin", "git-annex")
        self.do("git", "annex", "merge", "--quiet")
        return began, start, end, pushed

    def jobs(self) -> set[bytes]:
        return set(self.redis.scan_iter(redis_keys.job("*"), count=1000))

    def _started(self, before: set[bytes]) -> bool:
        return any(self.redis.hget(job, "started") for job in self.jobs() - before)

    def _tip(self) -> str:
        bare = next((self.stack.state / "forge").rglob("data.git"))
        try:
            return (bare / "refs" / "heads" / "main").read_text().strip()
        except FileNotFoundError:
            return ""

    @staticmethod
    def _until(true: object) -> float:
        assert callable(true)
        end = time.perf_counter() + 60
        while not true():
            if time.perf_counter() > end:
                raise RuntimeError("nothing came of a push within 60 s")
            time.sleep(0.001)
        return time.perf_counter()
