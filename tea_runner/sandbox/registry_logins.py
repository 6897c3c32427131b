"""Logins for registries of images, as ``docker login`` and ``podman login`` keep them.

They are in JSON files: ``auths`` with ``user:password`` in base64, or names of programs that give them
(``credHelpers`` for some registries, ``credsStore`` for all; docker-credential-helpers).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tea_runner.core.errors import OutsideError
from tea_runner.core.spec.image_reference import DEFAULT_HOST
from tea_runner.host import process

#: The key of Docker Hub in Docker's file.
_DOCKER_HUB = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9._-]{1,50}")
_SECONDS = 20


class Login(NamedTuple):
    """User and password for a registry."""

    user: str
    password: str


def find_login(variables: Mapping[str, str], host: str, path: str) -> Login | None:
    """The login of this user for an image; None without one.

    :param variables: the process's own variables.
    :param host: of the registry, with its port.
    :param path: of the image; Podman's file may have logins for some paths only.
    """
    for document in _documents(variables):
        helpers = document.get("credHelpers")
        helper = helpers.get(host) if isinstance(helpers, dict) else None
        helper = helper or document.get("credsStore")
        if isinstance(helper, str) and _HELPER.fullmatch(helper):
            found = _ask_helper(helper, _server(host), variables)
            if found is not None:
                return found
        auths = document.get("auths")
        for key in _keys(host, path):
            row = auths.get(key) if isinstance(auths, dict) else None
            found = _decode(row) if isinstance(row, dict) else None
            if found is not None:
                return found
    return None


def _documents(variables: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    home = Path(variables.get("HOME") or "/")
    places = [
        variables.get("REGISTRY_AUTH_FILE", ""),
        f"{variables['XDG_RUNTIME_DIR']}/containers/auth.json"
        if variables.get("XDG_RUNTIME_DIR")
        else "",
        f"{variables.get('XDG_CONFIG_HOME') or home / '.config'}/containers/auth.json",
        f"{variables.get('DOCKER_CONFIG') or home / '.docker'}/config.json",
    ]
    for place in filter(None, places):
        try:
            document = json.loads(Path(place).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(document, dict):
            yield document


def _keys(host: str, path: str) -> Iterator[str]:
    """Keys under which a login may be, the most special first (containers-auth.json(5))."""
    parts = path.split("/")
    yield from (f"{host}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1))
    yield from (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/")
    if host == DEFAULT_HOST:
        yield from (_DOCKER_HUB, "index.docker.io")


def _server(host: str) -> str:
    return _DOCKER_HUB if host == DEFAULT_HOST else host


def _decode(row: Mapping[str, Any]) -> Login | None:
    try:
        user, colon, password = base64.b64decode(str(row.get("auth", ""))).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Login(user, password.rstrip("\0")) if colon and user else None


def _ask_helper(name: str, server: str, variables: Mapping[str, str]) -> Login | None:
    try:
        said = process.run(
            (f"docker-credential-{name}", "get"),
            env=variables,
            cwd="/",
            stdin=server.encode(),
            timeout=_SECONDS,
        ).stdout
        row = json.loads(said)
        user, password = str(row["Username"]), str(row["Secret"])
    except (OutsideError, ValueError, KeyError, TypeError):
        return None
    return Login(user, password) if user and password else None
