"""Links to pages of the forge."""

from __future__ import annotations

from urllib.parse import quote


def forge_page(kind: str, url: str, repository: str, commit: str = "") -> str:
    """URL of the forge's page of a repository or commit; empty if the forge has no pages."""
    if kind == "folder":
        return ""
    page = f"{url.rstrip('/')}/{quote(repository, errors='replace')}"
    return f"{page}/commit/{quote(commit, safe='', errors='replace')}" if commit else page


def branch_page(kind: str, url: str, repository: str, branch: str) -> str:
    """URL of the forge's page of a branch; empty if the forge has no pages."""
    page = forge_page(kind, url, repository)
    return page and f"{page}/{_view(kind, 'src', 'branch')}/{quote(branch, errors='replace')}"


def file_page(
    kind: str, url: str, repository: str, commit: str, path: str, *, raw: bool = False
) -> str:
    """URL of the forge's page of a file at a commit; empty if the forge has no pages.

    :param raw: of its content instead.
    """
    page = forge_page(kind, url, repository)
    view = _view(kind, "raw" if raw else "src", "commit")
    return page and f"{page}/{view}/{commit}/{quote(path, errors='surrogateescape')}"


def _view(kind: str, view: str, of: str) -> str:
    # Gogs finds out itself whether the name is that of a branch or of a commit.
    return view if kind == "gogs" else f"{view}/{of}"
