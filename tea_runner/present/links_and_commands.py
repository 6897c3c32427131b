"""Links to pages of the forge, and commands that repeat a job."""

from __future__ import annotations

import shlex
from urllib.parse import quote


def forge_page(kind: str, url: str, repository: str, commit: str = "") -> str:
    """URL of the forge's page of a repository or commit; empty if the forge has no pages."""
    if kind != "gitea":
        return ""
    page = f"{url.rstrip('/')}/{quote(repository, errors='replace')}"
    return f"{page}/commit/{quote(commit, safe='', errors='replace')}" if commit else page


def repeat(
    *, remote: str, repository: str, commit: str, pipeline: str, results: str, home: str, key: str
) -> list[str]:
    """Commands that repeat a job on any computer.

    :param results: the results commit; empty without one.
    :param key: key of a datum with a run record of its own, else empty.
    """
    name = repository.rpartition("/")[2] or repository
    lines = [f"git clone {shlex.quote(remote)}", f"cd {shlex.quote(name)}"]
    if results:
        lines.append(f"git checkout {shlex.quote(results)}")
        if home:
            lines.append(f"datalad get {shlex.quote(home)}")
        if key:
            found = f"git log -1 --format=%H --grep={shlex.quote(f'Tea-Key: {key}')}"
            lines.append(f'datalad rerun "$({found})"')
        else:
            lines.append(f"datalad rerun {shlex.quote(results)}")
    else:
        lines.append(f"git checkout -b again {shlex.quote(commit)}")
        lines.append(f"tea-runner run {shlex.quote(pipeline)}")
    return lines
