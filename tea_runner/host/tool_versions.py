"""Versions of tea-runner and of the programs that it runs."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping

from tea_runner import __version__
from tea_runner.core.errors import TeaError
from tea_runner.host import process


def tool_versions(path: str) -> Mapping[str, str]:
    """Program to version, found on the ``PATH`` *path*; an error message where there is no version."""
    env = {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
    return {
        "tea-runner": __version__,
        "Python": platform.python_version(),
        "git": _output(["git", "version"], env).removeprefix("git version "),
        "git-annex": _output(["git-annex", "version", "--raw"], env),
        "DataLad": _distribution_version("datalad"),
        "RQ": _distribution_version("rq"),
    }


def _output(argv: list[str], env: Mapping[str, str]) -> str:
    try:
        done = process.run(argv, env=env, cwd="/", timeout=20, why=f"version of {argv[0]}")
    except TeaError as error:
        return error.message
    return done.stdout.decode("utf-8", "replace").strip()


def _distribution_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
