"""What a job needs of its worker: the kind of environment in which its commands run.

Each need has a queue of its own, and a worker takes jobs from the queues of what it offers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

#: host: a command without an image; container: an image by name; apptainer: an image that is a file.
Need = Literal["host", "container", "apptainer"]
NEEDS: tuple[Need, ...] = get_args(Need)

#: Environments (setting ``environments``) to what they offer.
OF_ENVIRONMENT: dict[str, Need] = {
    "host": "host",
    "docker": "container",
    "podman": "container",
    "apptainer": "apptainer",
}
_WORDS: dict[Need, str] = {
    "host": "commands without an image (host)",
    "container": "docker or podman",
    "apptainer": "apptainer",
}


def need_of(*, image: str, file: str) -> Need:
    """The need of a pipeline's jobs.

    :param image: its image; empty for none.
    :param file: path of that image in the dataset; empty for one by name.
    """
    if not image:
        return "host"
    return "apptainer" if file else "container"


def read_need(text: str) -> Need:
    """The need that a text names; ``host`` for any other, which another version may have written."""
    return next((need for need in NEEDS if need == text), "host")


def unoffered(need: Need, offers: Collection[str]) -> str:
    """Why jobs with this need wait for a worker; empty where one offers it.

    :param offers: what the workers that run offer.
    """
    if need in offers:
        return ""
    return f"no worker offers {_WORDS[need]}" if offers else "no worker runs"
