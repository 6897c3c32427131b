"""Programs on a terminal, as a person has one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tea_runner.host import process

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>()][A-Z0-9]?")


def on_terminal(
    folder: Path, *words: str, typed: str = "", env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run ``tea-runner`` on a terminal, and type into it.

    :returns: the exit code, and what the terminal was sent, without its escape sequences.
    """
    if shutil.which("script") is None:
        pytest.skip("needs script: apt install bsdutils")
    variables = {name: os.environ[name] for name in ("HOME", "PATH", "GIT_CONFIG_GLOBAL")}
    variables |= {
        "TERM": "xterm",
        "COLUMNS": "200",
        "TEA_RUNNER_SANDBOX__KIND": "off",
        **(env or {}),
    }
    line = shlex.join([sys.executable, "-m", "tea_runner", *words])
    done = process.run(
        ["script", "-qec", line, "/dev/null"],
        env=variables,
        cwd=folder,
        stdin=typed.encode(),
        check=False,
        timeout=60,
    )
    return done.returncode, _ESCAPES.sub("", done.stdout.decode("utf-8", "replace"))
