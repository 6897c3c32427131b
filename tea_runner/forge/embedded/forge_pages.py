"""HTML pages of the embedded forge: repositories, branches, commits and their statuses."""

from __future__ import annotations

from html import escape
from typing import Any

from tea_runner.forge.embedded.accounts import Account
from tea_runner.forge.embedded.bare_repositories import BareRepositories, BareRepository

_SHOWN = 30
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
td{padding:.2rem .8rem .2rem 0;vertical-align:top}code{font-size:.9em}.success{color:#176f2c}
.failure,.error{color:#a40e26}.pending,.warning{color:#7a5200}"""


def index(store: BareRepositories, account: Account) -> bytes:
    """List of the repositories."""
    rows = "".join(
        f'<li><a href="/{escape(each.full_name)}">{escape(each.full_name)}</a></li>'
        for each in store.all()
    )
    return _page("Repositories", f"<p>You are {escape(account.name)}.</p><ul>{rows}</ul>")


def repository(store: BareRepositories, shown: BareRepository) -> bytes:
    """Branches, and the latest commits of each with their statuses."""
    parts = []
    for branch, tip in sorted(store.branches(shown).items()):
        out = store.git(
            "log",
            "-z",
            f"--max-count={_SHOWN}",
            "--first-parent",
            "--format=%H%x1f%an%x1f%cs%x1f%s",
            tip,
            "--",
            at=shown,
        )
        rows = "".join(
            _row(store, shown, *line.split("\x1f", 3))
            for line in out.decode("utf-8", "replace").split("\0")
            if line.count("\x1f") >= 3
        )
        parts.append(f"<h2>{escape(branch)}</h2><table>{rows}</table>")
    return _page(shown.full_name, "".join(parts) or "<p>Nothing was pushed yet.</p>")


def _row(
    store: BareRepositories, shown: BareRepository, oid: str, who: str, day: str, subject: str
) -> str:
    rows: list[dict[str, Any]] = store.read(shown.path, f"status-{oid}", [])
    latest = {row["context"]: row for row in rows}.values()
    statuses = "<br>".join(_status(row) for row in latest)
    return (
        f"<tr><td><code>{escape(oid[:10])}</code></td><td>{escape(day)}</td>"
        f"<td>{escape(who)}</td><td>{escape(subject)}</td><td>{statuses}</td></tr>"
    )


def _status(row: dict[str, Any]) -> str:
    words = f"{escape(row['context'])}: {escape(row['status'])}, {escape(row['description'])}"
    target = str(row["target_url"])
    if target.startswith(("http://", "https://")):
        words = f'<a href="{escape(target)}" rel="noreferrer">{words}</a>'
    return f'<span class="{escape(row["status"])}">{words}</span>'


def _page(title: str, body: str) -> bytes:
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{body}</html>"
    ).encode()
