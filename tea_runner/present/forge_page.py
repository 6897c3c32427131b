"""Links to pages of the forge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote


class _Views(NamedTuple):
    """Parts of the URLs of pages of a branch, of a file at a commit, of its content, and of a commit."""

    branch: str
    file: str
    raw: str
    commit: str = "commit"


_GITEA = _Views("src/branch", "src/commit", "raw/commit")
_VIEWS: Mapping[str, _Views] = {
    # Gogs finds out itself whether the name is that of a branch or of a commit.
    "gogs": _Views("src", "src", "raw"),
    "github": _Views("tree", "blob", "raw"),
    "gitlab": _Views("-/tree", "-/blob", "-/raw", "-/commit"),
    "bitbucket": _Views("browse", "browse", "raw", "commits"),
}


def forge_page(kind: str, url: str, repository: str, commit: str = "") -> str:
    """URL of the forge's page of a repository or commit; empty if the forge has no pages."""
    if kind == "folder":
        return ""
    name = quote(repository, errors="replace")
    if kind == "bitbucket":
        name = f"projects/{name.replace('/', '/repos/', 1)}"
    page = f"{url.rstrip('/')}/{name}"
    view = _VIEWS.get(kind, _GITEA).commit
    return f"{page}/{view}/{quote(commit, safe='', errors='replace')}" if commit else page


def branch_page(kind: str, url: str, repository: str, branch: str) -> str:
    """URL of the forge's page of a branch; empty if the forge has no pages."""
    page = forge_page(kind, url, repository)
    if kind == "bitbucket":
        return f"{page}/browse?at={quote(f'refs/heads/{branch}', safe='', errors='replace')}"
    view = _VIEWS.get(kind, _GITEA).branch
    return page and f"{page}/{view}/{quote(branch, errors='replace')}"


def file_page(
    kind: str, url: str, repository: str, commit: str, path: str, *, raw: bool = False
) -> str:
    """URL of the forge's page of a file at a commit; empty if the forge has no pages.

    :param raw: of its content instead.
    """
    page, name = forge_page(kind, url, repository), quote(path, errors="surrogateescape")
    views = _VIEWS.get(kind, _GITEA)
    view = views.raw if raw else views.file
    if kind == "bitbucket":
        return f"{page}/{view}/{name}?at={commit}"
    return page and f"{page}/{view}/{commit}/{name}"
