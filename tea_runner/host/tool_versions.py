"""A ``PATH`` in, the versions of the programs that do the work out."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping

from tea_runner import __version__
from tea_runner.core.errors import TeaError
from tea_runner.host import process


def tool_versions(path: str) -> Mapping[str, str]:
    """Name to version; a sentence in its place where there is none to be had."""
    env = {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
    return {
        "tea-runner": __version__,
        "Python": platform.python_version(),
        "git": _said(["git", "version"], env).removeprefix("git version "),
        "git-annex": _said(["git-annex", "version", "--raw"], env),
        "DataLad": _installed("datalad"),
        "RQ": _installed("rq"),
    }


def _said(argv: list[str], env: Mapping[str, str]) -> str:
    try:
        done = process.run(argv, env=env, cwd="/", timeout=20, why=f"version of {argv[0]}")
    except TeaError as error:
        return error.message
    return done.stdout.decode("utf-8", "replace").strip()


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
