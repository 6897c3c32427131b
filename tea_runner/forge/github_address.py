"""Where the API of GitHub is."""

from __future__ import annotations

from urllib.parse import urlsplit


def github_api_url(url: str) -> str:
    """URL of the API, of github.com, of a host below ghe.com, or of a GitHub Enterprise Server."""
    base = url.rstrip("/")
    host = urlsplit(base).hostname or ""
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"{base}/api/v3"
