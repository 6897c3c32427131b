"""What a job asks of Slurm, as options of sbatch(1), and the batch script of its array."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby

from tea_runner.core.pipeline import Pipeline, Resources

#: Tasks of one array; Slurm's MaxArraySize is 1001 by default.
ARRAY_SIZE = 1000
_MEBI = 1 << 20
_ODD = re.compile(r"[^A-Za-z0-9_.-]+")


def request_options(pipeline: Pipeline) -> tuple[str, ...]:
    """Options for the resources of a pipeline's datums: limits, and requests where there is no limit.

    Time is asked for only where the pipeline file gives a ``job_timeout``; the operator's options and the
    partition decide otherwise.
    """
    cpu = pipeline.limits.cpu or pipeline.requests.cpu
    memory = pipeline.limits.memory or pipeline.requests.memory
    options = [f"--job-name=tea-{_ODD.sub('_', pipeline.name)[:40]}"]
    if cpu:
        options.append(f"--cpus-per-task={math.ceil(cpu)}")
    if memory:
        options.append(f"--mem={math.ceil(memory / _MEBI)}M")
    gpus = _gpus(pipeline.limits) or _gpus(pipeline.requests)
    if gpus:
        options.append(f"--gres={gpus}")
    if pipeline.job_timeout:
        options.append(f"--time={math.ceil(pipeline.job_timeout / 60)}")
    return tuple(options)


def _gpus(resources: Resources) -> str:
    if not resources.gpu_number:
        return ""
    # Pachyderm's type is a Kubernetes name such as nvidia.com/gpu; only a plain word names a type of gres.
    kind = resources.gpu_type
    named = f":{kind}" if re.fullmatch(r"[A-Za-z0-9_]+", kind) else ""
    return f"gpu{named}:{resources.gpu_number}"


def array_script(words: Sequence[str], folder: str, offset: int) -> str:
    """The batch script whose task N carries out job *offset* + N of a folder.

    :param words: the command line of tea-runner, without a verb.
    """
    job = shlex.join([*words, "run-job", folder])
    output = shlex.quote(folder)
    return (
        "#!/bin/sh\n"
        f"number=$(({offset} + SLURM_ARRAY_TASK_ID))\n"
        f'exec {job} "$number" >{output}/"$number".out 2>&1\n'
    )


def settle_script(words: Sequence[str], log: str) -> str:
    """The batch script of the job that settles a detached run.

    :param words: the command line of tea-runner, without a verb.
    """
    return f"#!/bin/sh\nexec {shlex.join([*words, 'settle-run'])} >>{shlex.quote(log)} 2>&1\n"


def arrays_of(numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Divide numbers of jobs into arrays.

    :returns: the offset of each array, and its tasks as sbatch's ``--array`` takes them.
    """
    for start, group in groupby(sorted(numbers), lambda number: number // ARRAY_SIZE):
        offset = start * ARRAY_SIZE
        yield offset, ",".join(_ranges([number - offset for number in group]))


def _ranges(numbers: Sequence[int]) -> Iterator[str]:
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        yield str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"
