"""What is said of things that do not exist, and in the same words of those that the viewer may not see."""

from __future__ import annotations

from collections.abc import Mapping

PAGE = "page not found"
RUN = "run not found; runs are kept for two weeks"
JOB = "job not found; jobs are kept for two weeks"
REPOSITORY = "repository not found; tea-runner webhook add connects one"

#: By the name of the part of an address.
SENTENCES: Mapping[str, str] = {"run": RUN, "job": JOB, "owner": REPOSITORY}
