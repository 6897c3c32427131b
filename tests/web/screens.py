"""Pages as they are with many datums, running and failed, for tests in a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
from werkzeug.serving import make_server

from tea_runner.broker.job_logs import JobLog
from tea_runner.core.planning.datum_measures import DatumMeasures
from tea_runner.core.planning.job import Job
from tea_runner.core.planning.job_and_datum_details import DatumDetails, JobDetails, Preview
from tea_runner.core.planning.run import PipelineRun, Run, run_id
from tea_runner.core.planning.run_datum_states import DatumRow
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, RESULTS
from tests.twins.forge import MemoryForge
from tests.web.browser import make_stranger

LOG = (
    b"reading /pfs/images/sub-0001/anat/T1w.nii.gz\n\x1b[32mINFO\x1b[0m 12 slices\n"
    b"10 %\r50 %\r100 %\n\x1b[1;31mError\x1b[0m: matrix is singular\n"
    b'Traceback (most recent call last):\n  File "code/fit.py", line 12, in <module>\n'
    b"ValueError: matrix is singular\n"
)


def fill(site: Site, number: int, state: str = "running") -> Run:
    """A run of three pipelines with so many datums in the first, some of them failed.

    :param state: of the run: running, failed or settled.
    """
    commit = f"{number:07x}{state.encode().hex()}".ljust(40, "0")[:40]
    labels = [f"images:sub-{each:06}/anat/T1w.nii.gz" for each in range(number)]
    size = max(1, min(500, number // 40))
    jobs = [
        Job(
            repository=REPOSITORY,
            branch="main",
            commit=commit,
            pipeline="fit",
            datums=tuple(
                (label, f"{hash((label, commit)) & (1 << 60) - 1:015x}".ljust(64, "0"))
                for label in part
            ),
        )
        for part in (labels[at : at + size] for at in range(0, number, size))
    ]
    kinds = [_work(site, job, index, state) for index, job in enumerate(jobs)]
    rows = [
        DatumRow(label, key, *_row(kinds[index], state, at, job.id))
        for index, job in enumerate(jobs)
        for at, (label, key) in enumerate(job.datums)
    ]
    plan = {"running": "running", "failed": "failed", "settled": "settled"}[state]
    fit = PipelineRun(
        name="fit",
        state=plan,
        jobs=[job.id for job in jobs],
        datums=rows,
        home="fit",
        commit=RESULTS if state == "settled" else "",
    )
    names = ("fit", "mean over all subjects", "report")
    later = [
        PipelineRun(
            name=name,
            state={"running": "waiting", "failed": "blocked"}.get(state, "settled"),
            reason={"running": "upstream", "failed": "blocked-by-failure"}.get(state, ""),
            detail=above,
            upstream=[above],
            home=name,
        )
        for above, name in pairwise(names)
    ]
    run = Run(
        id=run_id(REPOSITORY, f"n{number}-{state}", commit),
        repository=REPOSITORY,
        branch=f"n{number}-{state}",
        commit=commit,
        title=f"Fit {number} subjects",
        author="Ada",
        cause="push",
        pipelines=[fit, *later],
    )
    counted = replace(run, pipelines=[replace(fit, counts={}), *later])
    return site.runs.save(counted)[0]


def waiting_run(site: Site) -> Run:
    """A run that waits until somebody approves that it computes so much."""
    run = fill(site, 7)
    held = replace(
        run.pipelines[0], reason="approval-needed", detail="would compute 7 datums, 5 are allowed"
    )
    return site.runs.save(replace(run, pipelines=[held, *run.pipelines[1:]]))[0]


def ask_to_merge(site: Site) -> int:
    """Two open pull requests on a forge in memory, which wait for an approval; the number of one."""
    forge = MemoryForge()
    forge.create(REPOSITORY)
    for number, branch in enumerate(
        ("fix", "a-branch-with-a-rather-long-name-that-somebody-chose")
    ):
        forge.push(REPOSITORY, {f"refs/heads/{branch}": f"{number + 1:040x}"})
        pull = forge.open_pull_request(
            REPOSITORY, head=branch, base="main", title=f"Try {branch}", text=""
        )
    vars(site)["forge"] = forge
    return pull.number


def _work(site: Site, job: Job, index: int, state: str) -> str:
    """What became of a job: done, failed, running or waiting."""
    if state == "running" and index % 5 == 4:
        site.jobs.enqueue(job)
        return "waiting"
    site.jobs.enqueue(job)
    claim = site.jobs.claim(job.id, f"worker-node{index % 3}-77-ab12", f"token-{job.id}")
    assert claim is not None
    log = JobLog(site.redis, job.id, 1 << 20)
    log.start()
    log.write(LOG)
    if state == "running" and index % 5 == 3:
        return "running"
    measures = [
        DatumMeasures(key, 1.0 + at % 90 / 7, 0.8, (at % 70 + 1) << 21, 4_300_000, 812 * (at % 9))
        for at, (_, key) in enumerate(job.datums)
    ]
    site.jobs.set_fields(job.id, seconds=str(3.0 * len(measures)), fetched="4300000")
    times = {"fetch_seconds": "1.2", "run_seconds": "30.5", "store_seconds": "0.4"}
    site.jobs.set_fields(job.id, **times)
    site.measures.save(job.id, measures)
    site.measures.save_details(job.id, _details(job))
    if state != "settled" and index % 5 == 1:
        error = f"the command exited 1: ValueError: matrix {index} is singular"
        site.jobs.finish(claim, "failed", error, failures={job.datums[0][1]: error})
        return "failed"
    site.jobs.finish(claim, "done")
    return "done"


def _details(job: Job) -> JobDetails:
    """What the first datum of a job read and wrote, with a picture and a table."""
    plot = np.full((90, 160, 3), 255, np.uint8)
    cv2.polylines(
        plot, [np.array([[5, 80], [60, 20], [100, 60], [155, 8]])], False, (180, 90, 20), 2
    )
    picture = cv2.imencode(".png", plot)[1].tobytes()
    former = cv2.imencode(".png", 255 - plot)[1].tobytes()
    table = b"subject,thickness\nsub-0001,2.31\nsub-0002,2.44\n"
    details = DatumDetails(
        inputs=(("images/sub-000001/anat/T1w.nii.gz", 4_300_000), ("images/atlas.tsv", 812)),
        outputs=(("fit/sub-000001/plot.png", len(picture)), ("fit/sub-000001/table.csv", 60)),
        previews=(
            Preview(path="fit/sub-000001/plot.png", type="image/png", data=picture, before=former),
            Preview(path="fit/sub-000001/table.csv", type="text/plain", data=table),
        ),
    )
    return JobDetails(
        command=("python3", "code/fit.py", "--threads", "2"),
        variables={"OMP_NUM_THREADS": "2"},
        view="pfs",
        spec_path="fit/pipeline.yml",
        datums={job.datums[0][1]: details},
    )


def _row(kind: str, state: str, at: int, job: str) -> tuple[str, str, str, str | None]:
    if state == "running":
        return "run", "new", "", None
    if kind == "failed" and at == 0:
        return (
            "failed",
            "failed",
            f"the command exited 1: ValueError: matrix {at} is singular",
            None,
        )
    return "done", "new", "", "job"


def operator(site: Site) -> dict[str, str]:
    """Headers of the operator."""
    return {"Authorization": f"Bearer {site.pages_token}"}


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Address of the pages on a server of this process."""
    server = make_server("127.0.0.1", 0, make_stranger(site).application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
