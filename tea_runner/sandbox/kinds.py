"""Table of the kinds of environments, and the choice of one for a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tea_runner.core.errors import Refused, SettingsError
from tea_runner.sandbox.apptainer import Apptainer
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tea_runner.sandbox.cgroup import MOUNT, Cgroups
from tea_runner.sandbox.container_engine import ContainerEngine
from tea_runner.sandbox.execution_environment import Environment
from tea_runner.sandbox.image_policy import NO_IMAGES, ImagePolicy
from tea_runner.sandbox.network_filter import OWN_NETWORK, NetworkAccess
from tea_runner.sandbox.unsandboxed import Unsandboxed


@dataclass(frozen=True, kw_only=True)
class EnvironmentChoice:
    """The operator's settings for environments."""

    #: Environment of commands without an image: ``host`` or ``off``.
    sandbox: str = "host"
    #: Environment of commands with an image: ``docker``, ``podman``, ``apptainer``; empty allows none.
    container: str = ""
    #: Directories with software, shown read-only in the sandbox.
    binds: tuple[Path, ...] = ()
    #: ``PATH`` of commands without an image; empty means the running Python's ``bin`` and the system's.
    path: str = ""
    #: Where processes keep copies of ``/etc`` for all sandboxes; without it each makes its own.
    etc_root: Path | None = None
    #: What commands with a network may reach.
    network: NetworkAccess = OWN_NETWORK
    #: Whether commands are refused where no cgroup limits their memory.
    require_cgroup: bool = False
    #: Where the cgroup file system is mounted.
    cgroups: Path = MOUNT
    #: The worker's own variables, of which engines read some.
    variables: Mapping[str, str] = field(default_factory=dict)
    #: Which images may be pulled.
    images: ImagePolicy = NO_IMAGES


KINDS: dict[str, Callable[[EnvironmentChoice], Environment]] = {
    "host": lambda choice: BubblewrapSandbox(
        binds=choice.binds,
        path=choice.path,
        etc_root=choice.etc_root,
        network=choice.network,
        cgroups=choice.cgroups,
    ),
    "off": lambda choice: Unsandboxed(path=choice.path),
    "docker": lambda choice: _engine("docker", choice),
    "podman": lambda choice: _engine("podman", choice),
    "apptainer": lambda choice: Apptainer(variables=choice.variables, network=choice.network),
}
_WITHOUT_IMAGE = ("host", "off")


def _engine(name: str, choice: EnvironmentChoice) -> ContainerEngine:
    return ContainerEngine(
        name, variables=choice.variables, network=choice.network, images=choice.images
    )


def choose_environment(image: str, choice: EnvironmentChoice) -> Environment:
    """The environment for a command with this image, or without one if it is empty.

    The environment has passed its check.  There is no fallback to another kind.

    :raises SettingsError: for an unknown kind.
    :raises Refused: when the kind in the settings cannot be used here.
    """
    setting, kind = ("container", choice.container) if image else ("sandbox", choice.sandbox)
    if image and not kind:
        raise Refused(
            f"image {image} needs a container, and none is allowed here",
            hint='add one on the worker, such as environments = ["host", "podman"]',
        )
    if kind not in KINDS or (kind in _WITHOUT_IMAGE) == bool(image):
        known = [name for name in KINDS if (name in _WITHOUT_IMAGE) != bool(image)]
        raise SettingsError(
            f"{setting}: {kind!r} is unknown", hint=f"choose one of {', '.join(known)}"
        )
    environment = KINDS[kind](choice)
    missing = environment.check()
    if missing:
        decide = "" if image else '; or decide to run without a sandbox: sandbox.kind = "off"'
        raise Refused(f"{missing}{decide}")
    refusal = memory_refusal(kind, choice)
    if refusal:
        raise Refused(refusal)
    return environment


#: held: a cgroup of the system enforces the limit.  watched: the sum over all processes is checked.
MemoryControl = Literal["held", "watched"]
WATCHED = (
    "no control group limits the memory of commands: that of their processes is checked 20 times a "
    "second, without shared memory that no process has mapped and buffers of sockets; let systemd "
    "delegate one (Delegate=yes, DelegateSubgroup=worker)"
)


def memory_control(kind: str, choice: EnvironmentChoice) -> MemoryControl:
    """How an environment of this kind limits the memory of commands on this machine."""
    if kind in ("docker", "podman"):
        return "held"
    if kind != "host":
        return "watched"
    groups = Cgroups(choice.cgroups)
    try:
        return "held" if groups.can_be_made() else "watched"
    finally:
        groups.close()


def cpus_are_limited(choice: EnvironmentChoice) -> bool:
    """Whether a cgroup can limit the processors of commands without an image on this machine."""
    groups = Cgroups(choice.cgroups)
    try:
        return groups.limits_cpus()
    finally:
        groups.close()


def memory_refusal(kind: str, choice: EnvironmentChoice) -> str:
    """Why the operator's settings refuse this kind of environment here, or an empty text."""
    if not choice.require_cgroup or memory_control(kind, choice) == "held":
        return ""
    return f"{WATCHED}, or set sandbox.require_cgroup = false"
