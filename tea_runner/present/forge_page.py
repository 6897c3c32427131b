"""Links to pages of the forge."""

from __future__ import annotations

from urllib.parse import quote


def forge_page(kind: str, url: str, repository: str, commit: str = "") -> str:
    """URL of the forge's page of a repository or commit; empty if the forge has no pages."""
    if kind != "gitea":
        return ""
    page = f"{url.rstrip('/')}/{quote(repository, errors='replace')}"
    return f"{page}/commit/{quote(commit, safe='', errors='replace')}" if commit else page


def branch_page(kind: str, url: str, repository: str, branch: str) -> str:
    """URL of the forge's page of a branch; empty if the forge has no pages."""
    page = forge_page(kind, url, repository)
    return page and f"{page}/src/branch/{quote(branch, errors='replace')}"


def file_page(
    kind: str, url: str, repository: str, commit: str, path: str, *, raw: bool = False
) -> str:
    """URL of the forge's page of a file at a commit; empty if the forge has no pages.

    :param raw: of its content instead.
    """
    page = forge_page(kind, url, repository)
    view = "raw" if raw else "src"
    return page and f"{page}/{view}/commit/{commit}/{quote(path, errors='surrogateescape')}"
