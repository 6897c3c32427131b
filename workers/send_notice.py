"""Sends notices by mail and to a webhook; passwords and the webhook's URL are in no message and no log."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Protocol

import requests

from tea_runner.core.errors import OutsideError, SettingsError
from tea_runner.present.visible_text import visible
from tea_runner.wiring import Site

#: Seconds for each answer of a server.
_TIMEOUT = 10.0


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What is sent: a line, a text, and facts for programs."""

    subject: str
    text: str
    facts: Mapping[str, str] = field(default_factory=dict)


class NoticeChannel(Protocol):
    """A way to send notices."""

    @property
    def name(self) -> str:
        """For people, without secrets."""
        ...

    def send(self, notice: Notice) -> None:
        """Send one.

        :raises OutsideError: when the other side declines or does not answer.
        :raises SettingsError: when a file with a secret cannot be read.
        """
        ...

    def check(self) -> None:
        """Connect as for sending, and send nothing.

        :raises OutsideError: when that fails.
        :raises SettingsError: when a file with a secret cannot be read.
        """
        ...


def notice_channels(site: Site) -> list[NoticeChannel]:
    """The channels of the settings."""
    settings = site.settings
    options = settings.notify
    found: list[NoticeChannel] = []
    if options.mail_to:
        found.append(
            Mail(
                host=options.smtp_host,
                port=options.smtp_port,
                security=options.smtp_security,
                user=options.smtp_user,
                password=lambda: site.notify_secret("smtp_password_file"),
                sender=options.mail_from or settings.bot.email,
                receivers=options.mail_to,
            )
        )
    if options.webhook_file is not None:
        found.append(WebhookCall(lambda: site.notify_secret("webhook_file")))
    return found


@dataclass(frozen=True, kw_only=True)
class Mail:
    """Mail by a submission server (RFC 6409)."""

    host: str
    port: int
    #: ``starttls``, ``tls`` or ``none``.
    security: str
    user: str
    #: Reads the password.
    password: Callable[[], str]
    sender: str
    receivers: Sequence[str]

    @property
    def name(self) -> str:
        """The server's name."""
        return f"mail by {self.host}:{self.port}"

    def send(self, notice: Notice) -> None:
        """See :class:`NoticeChannel`."""
        message = EmailMessage()
        message["From"], message["To"] = self.sender, ", ".join(self.receivers)
        message["Subject"] = visible(notice.subject)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.text)
        with self._connected() as server:
            server.send_message(message)

    def check(self) -> None:
        """See :class:`NoticeChannel`."""
        with self._connected() as server:
            server.noop()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context()
        try:
            if self.security == "tls":
                made: smtplib.SMTP = smtplib.SMTP_SSL(
                    self.host, self.port, timeout=_TIMEOUT, context=context
                )
            else:
                made = smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT)
            with made as server:
                if self.security == "starttls":
                    server.starttls(context=context)
                if self.user:
                    server.login(self.user, self.password())
                yield server
        except smtplib.SMTPAuthenticationError as error:
            # Its text may repeat what was sent.
            raise OutsideError(
                f"{self.name}: user or password is not accepted",
                hint="check notify.smtp_user and notify.smtp_password_file",
            ) from error
        except smtplib.SMTPResponseException as error:
            raise OutsideError(f"{self.name}: it answered {error.smtp_code}") from error
        except (smtplib.SMTPException, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise OutsideError(
                f"{self.name}: {why or type(error).__name__}",
                hint="check notify.smtp_host, smtp_port and smtp_security",
            ) from error


class WebhookCall:
    """A JSON object by POST; ``text`` is what Mattermost, Slack and others show."""

    name = "webhook of notify.webhook_file"

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url

    def send(self, notice: Notice) -> None:
        """See :class:`NoticeChannel`."""
        document = {"text": f"{notice.subject}\n{notice.text}", **notice.facts}
        status = self._ask("POST", document)
        if not 200 <= status < 300:
            raise OutsideError(f"{self.name}: it answered {status}")

    def check(self) -> None:
        """See :class:`NoticeChannel`: a request that posts nothing; any answer will do."""
        self._ask("HEAD", None)

    def _ask(self, method: str, document: object) -> int:
        url = self._url()
        session = requests.Session()
        # No .netrc: it is for other servers.
        session.trust_env = False
        try:
            with session:
                return session.request(
                    method,
                    url,
                    json=document,
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    proxies=requests.utils.get_environ_proxies(url),
                ).status_code
        except (requests.RequestException, ValueError) as error:
            # Its text, and so its cause, has the URL, which is a secret.
            problem = type(error).__name__
        raise OutsideError(f"{self.name}: {problem}", hint="check the URL in that file")


def send_to_all(channels: Sequence[NoticeChannel], notice: Notice) -> list[str]:
    """Send a notice by all channels; returns a sentence for each that failed."""
    problems = []
    for channel in channels:
        try:
            channel.send(notice)
        except (OutsideError, SettingsError) as error:
            problems.append(error.message)
    return problems
