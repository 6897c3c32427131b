"""Variables of a container's command as options of the engine's client, with no secret among them.

Command lines are shown to all users of the machine (``ps``); files of mode 600 and the environment of a
process are not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tea_runner.core.errors import Refused
from tea_runner.sandbox.bubblewrap_options import is_loader_variable

#: Names and values that an env file holds unchanged: printable ASCII without spaces around it.
_PLAIN = re.compile(r"[!-~]([ -~]*[!-~])?")
#: Variables that the clients, the Go runtime, or programs started by them obey.
_OBEYED = re.compile(
    r"_.*|(DOCKER|BUILDKIT|BUILDX|CONTAINERS?|PODMAN|BUILDAH|STORAGE|REGISTRY|REGISTRIES|CNI|NETAVARK|"
    r"AARDVARK|CRUN|RUNC|LIBCRUN|XDG|LC|OTEL|LISTEN|DBUS|GIT|TEA|APPTAINER|SINGULARITY)(_.*)?|"
    r".*_PROXY|PATH|HOME|USER|LOGNAME|SHELL|HOSTNAME|TERM|TZ|LANG|LANGUAGE|TMPDIR|PWD|IFS|ENV|BASH_.*|"
    r"NOTIFY_SOCKET|SSH_(AUTH_SOCK|ASKPASS.*)|SSL_CERT_(FILE|DIR)|NO_COLOR|"
    r"GO(DEBUG|GC|MAXPROCS|MEMLIMIT|TRACEBACK|RACE|COVERDIR|ROOT|ENV|PATH)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerVariables:
    """Variables by the way on which they reach the container."""

    #: Content of a file for ``--env-file``.
    file: str
    #: Further options.
    options: tuple[str, ...]
    #: For the client itself, which passes them on by name.
    client: Mapping[str, str]


def container_variables(env: Mapping[str, str], secret: Collection[str]) -> ContainerVariables:
    """Divide variables: into a file if its format allows; else, if secret, by the client's environment.

    Other variables are never set for the client, which would obey a pipeline's ``DOCKER_HOST``.

    :raises Refused: for a secret that neither way can take.
    """
    lines: list[str] = []
    options: list[str] = []
    client: dict[str, str] = {}
    for key, value in sorted(env.items()):
        if _PLAIN.fullmatch(key) and _PLAIN.fullmatch(value) and value[0] not in "\"'#":
            lines.append(f"{key}={value}\n")
        elif key not in secret:
            options += ["--env", f"{key}={value}"]
        elif _OBEYED.fullmatch(key) or is_loader_variable(key):
            raise Refused(
                f"the secret in variable {key} has several lines, and the container engine "
                "obeys this variable itself",
                hint="use another env_var, or mount_path for a file",
            )
        else:
            options += ["--env", key]
            client[key] = value
    return ContainerVariables(file="".join(lines), options=tuple(options), client=client)
