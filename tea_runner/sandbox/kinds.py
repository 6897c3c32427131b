"""A kind's name and the operator's settings in, the environment out: the one table of kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.core.errors import Refused, SettingsError
from tea_runner.sandbox.apptainer import Apptainer
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tea_runner.sandbox.container_engine import ContainerEngine
from tea_runner.sandbox.protocol import Environment
from tea_runner.sandbox.unsandboxed import Unsandboxed


@dataclass(frozen=True, kw_only=True)
class EnvironmentChoice:
    """What the operator has set; the names are those of the settings."""

    #: ``host``, or ``off``: what a command without an image runs in.
    sandbox: str = "host"
    #: ``docker``, ``podman``, ``apptainer``: what a command with an image runs in. Empty: none may.
    container: str = ""
    #: Directories of software shown read-only in the sandbox.
    binds: tuple[Path, ...] = ()
    #: ``PATH`` of commands without an image; empty is the running Python's, then the system's.
    path: str = ""
    #: A folder for what is the same in all sandboxes; absent, each process makes its own.
    place: Path | None = None
    #: The worker's own variables: those that say where an engine is are used.
    variables: Mapping[str, str] = field(default_factory=dict)


KINDS: dict[str, Callable[[EnvironmentChoice], Environment]] = {
    "host": lambda choice: BubblewrapSandbox(
        binds=choice.binds, path=choice.path, place=choice.place
    ),
    "off": lambda choice: Unsandboxed(path=choice.path),
    "docker": lambda choice: ContainerEngine("docker", variables=choice.variables),
    "podman": lambda choice: ContainerEngine("podman", variables=choice.variables),
    "apptainer": lambda choice: Apptainer(variables=choice.variables),
}
_WITHOUT_IMAGE = ("host", "off")


def choose_environment(image: str, choice: EnvironmentChoice) -> Environment:
    """The environment for a command with this image, or without one; it has been checked.

    There is no falling back: what was asked for and cannot be had is refused.

    :raises SettingsError: for a kind that there is not.
    :raises Refused: when the kind that was asked for cannot be used here.
    """
    setting, kind = ("container", choice.container) if image else ("sandbox", choice.sandbox)
    if image and not kind:
        raise Refused(
            f"image {image} needs a container, and none is allowed here; "
            f'add one on the worker, such as environments = ["host", "podman"]'
        )
    if kind not in KINDS or (kind in _WITHOUT_IMAGE) == bool(image):
        known = [name for name in KINDS if (name in _WITHOUT_IMAGE) != bool(image)]
        raise SettingsError(f"{setting}: {kind!r} is unknown; choose one of {', '.join(known)}")
    environment = KINDS[kind](choice)
    missing = environment.check()
    if missing:
        decide = "" if image else '; or decide to run without a sandbox: sandbox.kind = "off"'
        raise Refused(f"{missing}{decide}")
    return environment
