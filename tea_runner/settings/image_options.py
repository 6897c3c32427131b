"""Settings of container images."""

# ruff: noqa: RUF009 - option() only creates the field of a dataclass

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tea_runner.settings.option import option


@dataclass(frozen=True, kw_only=True)
class ImagesOptions:
    """Container images that pipelines name without a digest."""

    tags: Literal["resolve", "once", "refuse"] = option(
        "resolve",
        "resolve: each plan finds out which digest a tag has; another one is a change, and its datums run "
        "again. once: a tag keeps the digest with which the results were made. refuse: only digests "
        "and datalad-containers; `tea-runner pin` writes digests into pipeline files.",
    )
    pull: Literal["missing", "never"] = option(
        "missing",
        "Whether workers pull an image that their engine does not have (missing), or refuse it (never).",
    )
    names: tuple[str, ...] = option(
        (),
        "Names that pipelines may use for images, such as opencv=docker.io/pachyderm/opencv:1.0. A "
        "datalad-container of the same name comes first.",
    )
    registries: tuple[str, ...] = option(
        ("*",),
        "Registries that may be asked for digests, and from which images are pulled, as patterns of "
        "host:port such as *.example.org; with http:// before it, a registry without encryption. Logins of "
        "docker and podman are used.",
    )
    timeout: float = option(
        15.0, "Maximum time for a response of a registry.", unit="seconds", least=0.1
    )
    ca_file: Path | None = option(
        None, "Certificates (PEM) of registries, in place of those of the system."
    )
