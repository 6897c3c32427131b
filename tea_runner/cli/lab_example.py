"""The example's repository on a Gitea that was just started: a dataset, its storage, and a push."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

from tea_runner.cli.demo import find_example
from tea_runner.cli.lab_gitea_and_minio import ORGANISATION, STORAGE, LabServers
from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_variables

#: Full name of the repository.
REPOSITORY = f"{ORGANISATION}/edges"


def push_example(lab: LabServers) -> str:
    """Push the example, unless Gitea has it already.

    :returns: the pushed commit; empty when it was there, or when its libraries are not installed.
    :raises CommandError: when git, git-annex or DataLad fails.
    """
    if importlib.util.find_spec("cv2") is None or lab.has_repository(REPOSITORY):
        return ""
    with tempfile.TemporaryDirectory(dir=lab.state) as work:
        folder = Path(work) / "edges"
        address = f"http://127.0.0.1:{lab.gitea_port}".replace("://", f"://{lab.user}@")
        env = {
            **lab.context.variables,
            **tool_variables(lab.context.variables),
            **lab.storage_variables,
            **_git_configuration(lab, work),
        }

        def run(*argv: str, cwd: Path = folder) -> str:
            done = process.run(argv, env=env, cwd=cwd, timeout=300)
            return done.stdout.decode("utf-8", "replace").strip()

        run("datalad", "-l", "error", "create", str(folder), cwd=Path(work))
        shutil.copytree(find_example() / "dataset", folder, dirs_exist_ok=True)
        run("datalad", "-l", "error", "save", "-m", "photographs and pipelines")
        run("git", "annex", "initremote", *lab.init_storage)
        run("git", "remote", "add", "origin", f"{address}/{REPOSITORY}.git")
        run("git", "config", "remote.origin.annex-ignore", "true")
        run("git", "annex", "copy", "--quiet", "--to", STORAGE)
        run("git", "push", "-q", "origin", "main", "git-annex")
        return run("git", "rev-parse", "HEAD")


def _git_configuration(lab: LabServers, work: str) -> dict[str, str]:
    """Variables of git and DataLad for this one push; nothing of it stays."""
    askpass = Path(work) / "password"
    askpass.write_text(f"#!/bin/sh\necho '{lab.password}'\n")
    askpass.chmod(0o700)
    values = {
        "init.defaultBranch": "main",
        "annex.security.allowed-ip-addresses": "127.0.0.1 ::1",
        "credential.helper": "",
    }
    numbered = enumerate(values.items())
    names = {
        f"GIT_CONFIG_{part}_{n}": pair[i]
        for n, pair in numbered
        for i, part in enumerate(("KEY", "VALUE"))
    }
    return {
        **names,
        "GIT_CONFIG_COUNT": str(len(values)),
        "GIT_ASKPASS": str(askpass),
        "GIT_TERMINAL_PROMPT": "0",
        "XDG_CACHE_HOME": f"{work}/cache",
        "GIT_AUTHOR_NAME": "Lab",
        "GIT_AUTHOR_EMAIL": "lab@example.org",
        "GIT_COMMITTER_NAME": "Lab",
        "GIT_COMMITTER_EMAIL": "lab@example.org",
    }
