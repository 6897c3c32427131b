"""Settings of notices: who is told of the first failure of a branch, and of its recovery."""

# ruff: noqa: RUF009 - option() only creates the field of a dataclass

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tea_runner.settings.option import option


@dataclass(frozen=True, kw_only=True)
class NotifyOptions:
    """Notices by mail and to a webhook, when a trusted branch fails first, and when it has recovered."""

    repositories: tuple[str, ...] = option(
        ("*/*",),
        "Repositories, as owner/name patterns, of which notices are sent. They contain names of pipelines "
        "and the last line of a failed command.",
    )
    mail_to: tuple[str, ...] = option((), "Addresses to which mail is sent; empty for no mail.")
    mail_from: str = option("", "Sender of mail.", shown="<bot.email>")
    smtp_host: str = option("localhost", "Server that takes mail.")
    smtp_port: int = option(587, "Its port.", least=1)
    smtp_security: Literal["starttls", "tls", "none"] = option(
        "starttls",
        "Encryption: starttls (port 587), tls (port 465), or none, for a server on this machine.",
    )
    smtp_user: str = option("", "User name for the server; empty to send without one.")
    smtp_password_file: Path | None = option(None, "File with the password of that user.")
    webhook_file: Path | None = option(
        None,
        "File with a URL that gets a JSON object by POST, with the field text as Mattermost, Slack and "
        "others take it.",
    )
