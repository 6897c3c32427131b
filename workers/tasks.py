"""What the queues carry: plan a branch, do a job.  Each task wires the parts and takes one step."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from tea_runner.adapters.logs import JobLog
from tea_runner.adapters.repository import Repository
from tea_runner.adapters.runs import PipelineRun, Run, Runs, run_id
from tea_runner.core.errors import Cancelled, OutsideError, Refused, Superseded, TeaError
from tea_runner.flow.advance import Advance, Advancer
from tea_runner.flow.pins import tracked
from tea_runner.flow.tip import Memory, Tip
from tea_runner.ports import StatusState
from tea_runner.present import sentences
from tea_runner.wiring import Site
from workers.heartbeat import Heartbeat
from workers.work import Means, Workshop

log = logging.getLogger(__name__)

#: Seconds before a plan that the outside world made fail is tried again; the reconciler goes on.
_BACK_OFF = (0.2, 1.0, 5.0)
_SHOWN = 500


def new_token() -> str:
    """A name for one claim."""
    return uuid.uuid4().hex


def explain(error: BaseException) -> str:
    """The sentence that people see for an error."""
    return error.message if isinstance(error, TeaError) else f"{type(error).__name__}: {error}"


def worker_name(kind: str) -> str:
    """Host and process, so that people know where to look."""
    return f"{kind}-{socket.gethostname()}-{os.getpid()}-{new_token()[:4]}"


class Planner:
    """Plans branches and settles what is finished."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._repositories: dict[str, tuple[Repository, Memory]] = {}
        self._runs = Runs(site.redis)

    def __call__(self, argument: str) -> None:
        """One request: ``["owner/name", "branch"]``."""
        repository, branch = json.loads(argument)
        self.plan(str(repository), str(branch))

    def plan(self, repository: str, branch: str) -> Advance | None:
        """Advance a branch; what fails outside is tried again, then left to the reconciler."""
        with self._alone(repository, branch) as mine:
            if not mine:
                return None
            self._site.jobs.begin_plan(repository, branch)
            for pause in (*_BACK_OFF, None):
                try:
                    return self._advance(repository, branch)
                except OutsideError as error:
                    log.warning("plan %s %s: %s", repository, branch, error.message)
                    if pause is None:
                        self._say(repository, branch, error.message)
                        return None
                    time.sleep(pause)
                except TeaError as error:
                    log.warning("plan %s %s: %s", repository, branch, error.message)
                    self._say(repository, branch, error.message)
                    return None
        return None

    @contextlib.contextmanager
    def _alone(self, repository: str, branch: str) -> Iterator[bool]:
        """One planner per branch at a time; another's request is noted and done by the one at it."""
        redis = self._site.redis
        name = f"tea:planning:{repository}\n{branch}"
        token = new_token()
        # A second planner waits its turn: the first may have read the tip before the latest push.
        for _ in range(1200):
            if redis.set(name, token, nx=True, ex=120):
                break
            time.sleep(0.05)
        else:
            self._site.jobs.request_plan(repository, f"refs/heads/{branch}", why="planner was busy")
            yield False
            return
        stop = threading.Event()

        def keep() -> None:
            while not stop.wait(30):
                with contextlib.suppress(Exception):
                    redis.expire(name, 120)

        thread = threading.Thread(target=keep, daemon=True, name="planning")
        thread.start()
        try:
            yield True
        finally:
            stop.set()
            with contextlib.suppress(Exception):
                if redis.get(name) == token.encode():
                    redis.delete(name)

    def _repository(self, name: str) -> tuple[Repository, Memory]:
        if name not in self._repositories:
            if len(self._repositories) >= 200:
                old, _ = self._repositories.pop(next(iter(self._repositories)))
                old.close()
            self._repositories[name] = (self._site.repository(name), Memory())
        return self._repositories[name]

    def _advance(self, name: str, branch: str) -> Advance | None:
        repository, memory = self._repository(name)
        repository.refresh()
        advancer = Advancer(
            dataset=repository,
            queue=self._site.jobs,
            who=self._site.who,
            memory=memory,
        )
        advance = advancer.advance(branch)
        place = f"tea:tip:{name}\n{branch}"
        before = self._site.redis.get(place)
        if advance is None:
            self._site.redis.delete(place)
        else:
            self._site.redis.set(place, advance.commit)
        if advance is not None and advance.planned is not None:
            self._subscribe(name, branch, advance.planned.tip)
            if before != advance.commit.encode():
                self._tell_subscribers(name)
        if advance is not None and (advance.pipelines or advance.problems):
            self._remember(repository, branch, advance)
            self._post(name, branch, advance)
        return advance

    def _subscribe(self, name: str, branch: str, tip: Tip) -> None:
        """Remember which repositories this branch follows; the next plan after a loss says it anew."""
        with contextlib.suppress(TeaError):
            links = tip.links
            for submodule, _ in tracked(tip).values() if links is not None else ():
                assert links is not None
                upstream = links.name(submodule)
                self._site.redis.sadd(f"tea:subscribers:{upstream}", f"{name}\n{branch}")

    def _tell_subscribers(self, name: str) -> None:
        """Branches that follow this repository are planned again: its tip has moved."""
        followers: Any = self._site.redis.smembers(f"tea:subscribers:{name}")
        for follower in followers:
            repository, _, branch = follower.decode().partition("\n")
            if repository != name:
                self._site.jobs.request_plan(
                    repository, f"refs/heads/{branch}", why=f"{name} has moved"
                )

    def _remember(self, repository: Repository, branch: str, advance: Advance) -> None:
        commit = repository.objects.commit(advance.origin)
        pipelines = []
        for progress in advance.pipelines.values():
            order = {"run": 0, "failed": 1, "wait": 2, "reuse": 3, "current": 4}
            datums = sorted(progress.decisions, key=lambda d: order.get(d.action, 5))[:_SHOWN]
            pipelines.append(
                PipelineRun(
                    name=progress.pipeline,
                    state=progress.state,
                    counts=dict(progress.counts),
                    detail=progress.detail,
                    commit=progress.commit,
                    jobs=progress.jobs,
                    datums=[[d.label, d.key, d.action, d.reason, d.detail] for d in datums],
                )
            )
        self._runs.save(
            Run(
                id=run_id(repository.name, branch, advance.origin),
                repository=repository.name,
                branch=branch,
                commit=advance.origin,
                title=commit.subject,
                author=commit.author,
                pipelines=pipelines,
                problems=list(advance.problems),
            )
        )

    def _post(self, name: str, branch: str, advance: Advance) -> None:
        """Statuses of the pushed commit and of the branch's tip; a failed one harms nothing."""
        context = self._site.settings.status.context
        run = run_id(name, branch, advance.origin)
        target = f"{self._site.settings.web_url}/runs/{run}"
        saved = self._runs.get(run)
        counted = {p.name: p.counts for p in saved.pipelines} if saved else {}
        for commit in dict.fromkeys((advance.origin, *advance.results, advance.commit)):
            for progress in advance.pipelines.values():
                numbers = counted.get(progress.pipeline, progress.counts)
                state = sentences.FORGE_STATES[progress.state]
                text = sentences.status(progress.state, numbers, progress.detail)
                self._status(name, commit, f"{context}/{progress.pipeline}", state, text, target)
            if advance.problems:
                text = sentences.status("blocked", {}, advance.problems[0])
                self._status(name, commit, f"{context}/spec", "error", text, target)

    def _status(
        self, name: str, commit: str, context: str, state: StatusState, text: str, target: str
    ) -> None:
        if not self._runs.changed_status(name, commit, context, f"{state} {text}"):
            return
        try:
            self._site.forge.set_status(
                name, commit, state, description=text, context=context, target_url=target
            )
        except TeaError as error:
            self._runs.forget_status(name, commit, context)
            log.warning("status of %s %s: %s", name, commit[:12], error.message)

    def _say(self, repository: str, branch: str, sentence: str) -> None:
        with contextlib.suppress(TeaError, OSError):
            commit = self._repository(repository)[0].tip(branch)
            if commit:
                context = f"{self._site.settings.status.context}/plan"
                text = sentences.status("blocked", {}, sentence)
                self._status(
                    repository, commit, context, "error", text, self._site.settings.web_url
                )

    def close(self) -> None:
        """End the processes behind it."""
        for repository, _ in self._repositories.values():
            repository.close()


class Worker:
    """Does jobs, one after the other, until it is told to stop."""

    def __init__(self, site: Site, name: str) -> None:
        self._site = site
        self.name = name
        self._workshops: dict[str, Workshop] = {}
        self._stopping: float | None = None

    def stop(self) -> None:
        """Take no more jobs; the one in hand may go on for the time of grace."""
        self._stopping = self._stopping or time.monotonic()

    @property
    def _out_of_time(self) -> bool:
        grace = self._site.settings.worker.grace
        return self._stopping is not None and time.monotonic() - self._stopping > grace

    def __call__(self, job_id: str) -> None:
        """One job, by its id."""
        jobs = self._site.jobs
        try:
            claim = jobs.claim(job_id, self.name, new_token())
        except Refused as error:
            log.error("job %s: %s", job_id, error.message)
            return
        if claim is None:
            return
        job = claim.job
        job_log = JobLog(self._site.redis, job.id, self._site.settings.log.max_bytes)
        job_log.start()
        with Heartbeat(lambda: jobs.extend(claim), self._site.settings.worker.lease / 4) as beat:

            def cancelled() -> bool:
                return beat.lost or self._out_of_time

            try:
                report = self._workshop(job.repository).do(job, job_log.write, cancelled)
            except Cancelled:
                jobs.release(claim)
                return
            except Superseded as error:
                # Whoever still wants its datums plans again, and asks for them at the newer commit.
                job_log.write(f"tea-runner: {error.message}\n".encode())
                jobs.end(claim, "cancelled", error.message)
                return
            except OutsideError as error:
                job_log.write(f"tea-runner: {error.message}\n".encode())
                log.warning("job %s: %s", job.id, error.message)
                self._later(claim, error.message)
                return
            except TeaError as error:
                job_log.write(f"tea-runner: {error.message}\n".encode())
                jobs.fail(job, dict.fromkeys((key for _, key in job.datums), error.message))
                jobs.end(claim, "failed", error.message)
                return
            except Exception as error:
                log.exception("job %s", job.id)
                job_log.write(f"tea-runner: {explain(error)}\n".encode())
                self._later(claim, f"a bug of tea-runner: {explain(error)}")
                return
        jobs.fail(job, report.failures)
        first = next(iter(report.failures.values()), "")
        jobs.note(job.id, seconds=f"{report.seconds:.3f}", datums=str(len(job.datums)))
        jobs.end(claim, "failed" if report.failures else "done", first)

    def _later(self, claim: Any, sentence: str) -> None:
        """The world failed: another try after a while, and after three the sentence is final."""
        jobs = self._site.jobs
        if claim.attempt >= 3:
            keys = (key for _, key in claim.job.datums)
            jobs.fail(claim.job, dict.fromkeys(keys, sentence))
            jobs.end(claim, "failed", sentence)
            return
        time.sleep(min(2.0**claim.attempt, 10) * 0.25)
        jobs.put_back(claim, sentence)

    def _workshop(self, repository: str) -> Workshop:
        if repository not in self._workshops:
            self._workshops[repository] = Workshop(
                self._site.repository(repository), means(self._site)
            )
        return self._workshops[repository]

    def close(self) -> None:
        """End the processes behind it."""
        for workshop in self._workshops.values():
            workshop.close()


def means(site: Site) -> Means:
    """What a worker of this host works with."""
    scratch = site.settings.scratch.expanduser()
    scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Means(
        scratch=scratch,
        environment=site.environment,
        limits=site.limits,
        network=site.settings.sandbox.network,
        who=site.who,
        bounds=site.bounds,
    )


Task = Callable[[str], None]
