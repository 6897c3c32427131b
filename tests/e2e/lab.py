"""A research group in miniature: a forge, a storage, a queue, datasets, planner and workers.

Everything is real (git, git-annex, DataLad, Redis); only that planner and workers run in the test's
own process, one piece of work after the other, so that a test says when what happens.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tea_runner.broker.redis_server import RedisServer
from tea_runner.broker.rq_consumer import QueueConsumer
from tea_runner.broker.run_store import RunStore
from tea_runner.core.planning.run import Run
from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path
from tea_runner.settings import load_settings
from tea_runner.wiring import Site
from tests.e2e.created_dataset import create_dataset
from workers.branch_planner import BranchPlanner
from workers.fitting_job_classes import ConsumableClasses
from workers.job_worker import JobWorker, worker_name

EXAMPLES = Path(__file__).parents[2] / "examples"


class Lab:
    """One forge with one storage, and a server that looks after it."""

    def __init__(
        self,
        root: Path,
        *,
        forge: Mapping[str, str],
        push_url: str,
        name: str = "lab/data",
        sandbox: str = "off",
        network: bool = False,
    ) -> None:
        self.root = root
        self.name = name
        self.push_url = push_url
        self.store = root / "store"
        self.store.mkdir()
        self.env = {**os.environ, "PATH": tool_path(os.environ)}
        self.broker = RedisServer(self._folder("broker"), self.env)
        self.broker.start()
        self._forge = forge
        self._sandbox = sandbox
        self._network = str(network).lower()
        self._uuid = ""
        self.dataset = root / "dataset"
        self._sites: dict[str, Site] = {}
        #: Pattern of the repositories that the server processes.
        self.watched = name
        #: More lines of the settings file, for the top of it.
        self.settings = ""
        #: Lines of the table ``[trust]``.
        self.trust = ""
        #: And for the end of it.
        self.tables = ""
        #: Lines of the table ``[sandbox]``.
        self.sandbox = ""
        self._planner: BranchPlanner | None = None
        self._workers: dict[str, JobWorker] = {}

    def _folder(self, name: str) -> Path:
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    # -- the person --------------------------------------------------------------------------

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git as the person."""
        return self.do("git", *arguments, cwd=cwd)

    def do(self, *argv: str, cwd: Path | None = None, check: bool = True) -> str:
        """Run a program as the person, in the dataset."""
        done = process.run(argv, env=self.env, cwd=cwd or self.dataset, check=check)
        return bytes(done.stdout).decode("utf-8", "surrogateescape")

    def create(self, example: str = "", files: Mapping[str, str] | None = None) -> None:
        """A DataLad dataset with an example's files, or with these."""
        create_dataset(self.dataset, self.env)
        if example:
            self.add(f"{example}/dataset")
        self.write(files or {})
        self.do("git", "annex", "add", "--quiet", ".")
        if self.git("status", "--porcelain"):
            self.git("commit", "-q", "-m", "begin")
        self.do(
            "git",
            "annex",
            "initremote",
            "store",
            "type=directory",
            f"directory={self.store}",
            "encryption=none",
            "autoenable=true",
        )
        self._uuid = self.git("config", "remote.store.annex-uuid").strip()
        self.git("remote", "add", "origin", self.push_url)
        self.git("config", "remote.origin.annex-ignore", "true")

    def add(self, part: str) -> None:
        """Copy files of ``examples/`` over the dataset."""
        for source in sorted((EXAMPLES / part).rglob("*")):
            target = self.dataset / source.relative_to(EXAMPLES / part)
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                shutil.copyfile(source, target)

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files of the dataset; None removes one."""
        for name, text in files.items():
            path = self.dataset / name
            path.unlink(missing_ok=True)
            if text is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def save(self, message: str = "change") -> str:
        """Save as the person would; returns the commit."""
        self.do("datalad", "-l", "error", "save", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def push(self, *arguments: str) -> str:
        """Content to storage, then the branches to the forge; returns the commit."""
        self.do("git", "annex", "copy", "--quiet", "--to", "store")
        branch = self.git("symbolic-ref", "--short", "HEAD").strip()
        self.git("push", "-q", *arguments, "origin", branch, "git-annex")
        return self.git("rev-parse", "HEAD").strip()

    def pull(self) -> str:
        """Bring the results here, those beside the branch too; returns the commit."""
        branch = self.git("symbolic-ref", "--short", "HEAD").strip()
        beside = f"tea/results/{branch}"
        self.git("pull", "-q", "--ff-only", "origin", beside if self.tip(beside) else branch)
        self.git("fetch", "-q", "origin", "git-annex")
        self.do("git", "annex", "merge", "--quiet")
        return self.git("rev-parse", "HEAD").strip()

    def tip(self, branch: str = "main") -> str:
        """The commit at the forge's branch."""
        out = self.git("ls-remote", "origin", f"refs/heads/{branch}", cwd=self.dataset)
        return out.split("\t")[0]

    # -- the server --------------------------------------------------------------------------

    def site(self, host: str = "host") -> Site:
        """The parts of one host: its own state and scratch; queue, forge and storage are shared."""
        if host not in self._sites:
            path = self._folder(f"hosts/{host}") / "tea-runner.toml"
            forge = "".join(f'{key} = "{value}"\n' for key, value in self._forge.items())
            key = self.root / "queue.key"
            if not key.exists():
                key.write_text("a key that all hosts of this lab share")
            path.write_text(
                f'state = "{path.parent}"\n{self.settings}repositories = ["{self.watched}"]\n'
                f'[redis]\nurl = "{self.broker.url}"\nkey_file = "{key}"\n'
                f'[trust]\nkey = "{self.root}/results_key"\n{self.trust}'
                f'[sandbox]\nkind = "{self._sandbox}"\nnetwork = {self._network}\n'
                f"{self.sandbox}[forge]\n{forge}"
                f'[[storage]]\nname = "store"\nuuid = "{self._uuid}"\ntype = "directory"\n'
                f'[storage.options]\ndirectory = "{self.store}"\n{self.tables}'
            )
            settings = load_settings(file=path, env={}, flags={})
            self._sites[host] = Site(settings, self.env)
        return self._sites[host]

    def settle(self, *hosts: str, branch: str = "main") -> Run | None:
        """Announce the branch and carry on until nothing waits; returns the latest run."""
        site = self.site()
        site.plan_requests.request_plan(self.name, f"refs/heads/{branch}", why="test")
        self.work_off(*hosts)
        runs = RunStore(site.redis).latest(1)
        return runs[0] if runs else None

    def work_off(self, *hosts: str) -> None:
        """Plan and work until the queues are empty; *hosts* take turns."""
        site = self.site()
        turn = 0
        names: Sequence[str] = hosts or ("host",)
        if self._planner is None:
            self._planner = BranchPlanner(site)

        def classes(host: str) -> ConsumableClasses:
            here = self.site(host)
            return ConsumableClasses(here.queues, here.ledger, here.offers)

        def jobs() -> bool:
            return any(site.queues.length_of(each) for n in names for each in classes(n)())

        while site.queues.length("plan") or jobs():
            QueueConsumer(site.redis, "plan", self._planner, name=worker_name("planner")).run(
                burst=True
            )
            host = names[turn % len(names)]
            turn += 1
            if jobs():
                worker, here = self._worker(host), self.site(host)
                QueueConsumer(here.redis, "job", worker, name=worker.name, needs=classes(host)).run(
                    burst=True
                )

    def _worker(self, host: str) -> JobWorker:
        if host not in self._workers:
            self._workers[host] = JobWorker(self.site(host), worker_name("worker"))
        return self._workers[host]

    def forget(self) -> None:
        """All hosts lose what they have: mirrors, indexes, scratch; and Redis is emptied."""
        self.site().redis.flushall()
        self._end()
        self._sites.clear()
        shutil.rmtree(self.root / "hosts")

    def close(self) -> None:
        """End everything."""
        self._end()
        for site in self._sites.values():
            if "redis" in vars(site):
                site.redis.close()
        self.broker.stop()

    def _end(self) -> None:
        if self._planner is not None:
            self._planner.close()
            self._planner = None
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
