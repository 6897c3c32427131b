"""Keys of the turns of repositories; :mod:`redis_keys` lists them with all others."""

from __future__ import annotations

from tea_runner.broker.redis_key_pattern import redis_key_pattern

#: Two weeks, as jobs are kept.
_SHOWN = 14 * 86_400


@redis_key_pattern("sorted set", "fair_job_turns", _SHOWN)
def turns(needs: str) -> str:
    """Repositories with waiting jobs of this need, in the order of their turns."""
    return f"turns:{needs}"


@redis_key_pattern("sorted set", "fair_job_turns", _SHOWN)
def line(needs: str, repository: str) -> str:
    """Ids of the waiting jobs of a repository in the order of their turns; some have ended since."""
    return f"line:{needs}\n{repository}"


@redis_key_pattern("sorted set", "fair_job_turns", _SHOWN)
def running_jobs(scope: str) -> str:
    """Ids of jobs of a repository, or of an owner, that were taken, by time; only where these are limited."""
    return f"running-jobs:{scope}"


@redis_key_pattern("sorted set", "fair_job_turns", _SHOWN)
def held(needs: str, scope: str) -> str:
    """Repositories by their turn that wait until a job of this repository or owner has ended."""
    return f"held:{needs}\n{scope}"


@redis_key_pattern("sorted set", "fair_job_turns")
def job_classes() -> str:
    """Classes of jobs with a demand of resources, by the time of the last one."""
    return "job-classes"
