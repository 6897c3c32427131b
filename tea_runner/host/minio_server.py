"""A MinIO on this host: a store of objects with the protocol of S3, in one folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tea_runner.core.errors import OutsideError


@dataclass(frozen=True, kw_only=True)
class MinioServer:
    """The settings of one MinIO; the process itself is started and kept by others.

    :param folder: its objects.
    """

    folder: Path
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    path: str = os.defpath

    @property
    def argv(self) -> list[str]:
        """The command of the server.

        :raises OutsideError: when it is not installed.
        """
        found = shutil.which("minio", path=self.path)
        if found is None:
            raise OutsideError(
                "minio is not on PATH",
                hint="install it: go install github.com/minio/minio@latest",
            )
        address = f"{self.host}:{self.port}"
        return [found, "server", str(self.folder), "--address", address, "--quiet"]

    @property
    def env(self) -> dict[str, str]:
        """The variables of the server."""
        return {
            "PATH": self.path,
            "HOME": str(self.folder.parent),
            "MINIO_ROOT_USER": self.user,
            "MINIO_ROOT_PASSWORD": self.password,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }

    @property
    def health_url(self) -> str:
        """Answers 200 when objects can be read and written."""
        return f"http://127.0.0.1:{self.port}/minio/health/ready"
