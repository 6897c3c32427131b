"""``tea-runner setup``: account, token, settings and webhooks on a running forge, in one command."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

import click

from tea_runner.cli.config import settings_path
from tea_runner.cli.main import Context
from tea_runner.cli.option_setting_help import named
from tea_runner.cli.options import json_option
from tea_runner.cli.set_up_organisation import connect_organisation
from tea_runner.cli.webhook import create_webhook
from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.errors import OutsideError, UsageError, UserError
from tea_runner.forge.gitea_administrator import GiteaAdministrator, is_token_of
from tea_runner.host.proxy_and_certificates import proxy_for
from tea_runner.settings import Settings, load_settings, settings_text

#: Name on the forge of what gives the account access.
_ACCESS = "tea-runner"


@dataclass(kw_only=True)
class Setup:
    """One run of the verb: what it made, and what was there."""

    context: Context
    steps: list[dict[str, str]] = field(default_factory=list)

    def tell(self, what: str, state: str) -> None:
        """Note a step."""
        self.steps.append({"step": what, "state": state})
        if not self.context.as_json:
            click.echo(f"{what}: {state}")


@click.command("setup")
@click.argument("url")
@click.option("--admin", required=True, metavar="NAME", help="Account of an administrator.")
@click.option(
    "--password-file",
    type=click.File("r"),
    metavar="FILE",
    help="File with the administrator's password; - is standard input. Without it, it is asked for.",
)
@click.option("--otp", default="", metavar="DIGITS", help="Digits of the authenticator, if used.")
@click.option("--bot", default="tea-runner", show_default=True, help="Account of tea-runner.")
@click.option(
    "--email",
    default="",
    help="Its address (default: BOT@noreply and the host of URL).",
)
@click.option(
    "--pages",
    default="",
    metavar="URL",
    help=f"URL of tea-runner as the forge reaches it ({named('web.url')}).",
)
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    metavar="OWNER/REPO",
    help="Let the account write there, and add the webhook; can be repeated.",
)
@click.option(
    "--organisation",
    "organisations",
    multiple=True,
    metavar="NAME",
    help="The same for all repositories of an organisation, which is made if need be; can be repeated.",
)
@json_option
@click.pass_obj
def command(
    context: Context,
    url: str,
    admin: str,
    password_file: IO[str] | None,
    otp: str,
    bot: str,
    email: str,
    pages: str,
    repositories: tuple[str, ...],
    organisations: tuple[str, ...],
) -> None:
    """Set up account, token, settings and webhooks on a forge.

    The forge is a Gitea or Forgejo that runs already.

    Needs the login of an administrator, which is kept nowhere. What is there already stays: the
    command can be repeated, such as with one more --repository.
    """
    for name in repositories:
        if not is_repository_name(name):
            raise UsageError(f"--repository {name}: expected OWNER/REPO")
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url}: expected the forge's URL, such as https://git.example.org")
    url = url.rstrip("/")
    setup = Setup(context=context)
    path = settings_path(context)
    token_file = path.parent / "forge.token"
    wanted = {
        "forge.kind": "gitea",
        "forge.url": url,
        "forge.user": bot,
        "forge.token_file": str(token_file),
        **({"web.url": pages.rstrip("/")} if pages else {}),
    }
    token_file = _known(context, path, wanted) or token_file
    settings = _settings(context, path)
    network = {
        "ca_file": str(
            settings.forge.ca_file
            or context.variables.get("SSL_CERT_FILE")
            or context.variables.get("GIT_SSL_CAINFO")
            or ""
        ),
        "proxy": proxy_for(url, context.variables),
    }
    password = (
        password_file.read().rstrip("\n")
        if password_file is not None
        else click.prompt(f"Password of {admin}", hide_input=True, err=True)
    )
    person = GiteaAdministrator(url, admin, password, otp=otp, **network)
    person.check()
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    made = person.ensure_user(bot, email or f"{bot}@noreply.{host}")
    setup.tell(f"account {bot}", "created" if made else "there already")
    old = token_file.read_text().strip() if token_file.exists() else ""
    if old and is_token_of(url, old, bot, **network):
        setup.tell(f"token in {token_file}", "valid")
    else:
        _write_secret(token_file, person.new_token(bot, _ACCESS))
        setup.tell(f"token in {token_file}", "created")
    if path.exists():
        setup.tell(f"settings in {path}", "there already")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(settings_text.settings_file(wanted), encoding="utf-8")
        setup.tell(f"settings in {path}", "written")
    context = replace(context, config=path)
    for name in repositories:
        with _admin_rights(person, name, bot):
            known = any(each.repository == name for each in context.site.webhooks.all())
            if not known:
                create_webhook(context, name, context.settings.web_url.rstrip("/"))
        setup.tell(f"account {bot} in {name}", "may write")
        setup.tell(f"webhook of {name}", "there already" if known else "created")
    for name in organisations:
        base = context.settings.web_url.rstrip("/")
        made = connect_organisation(person, context.site.webhooks, name, bot=bot, base=base)
        setup.tell(f"account {bot} in {name}/*", "may write")
        setup.tell(f"webhook of {name}/*", "created" if made else "there already")
    if context.as_json:
        click.echo(json.dumps(setup.steps, indent=1))
    elif not context.quiet:
        click.echo("Next: tea-runner check, then tea-runner up")


def _settings(context: Context, path: Path) -> Settings:
    """The settings; those of the file only if it is there."""
    if path.exists():
        return context.settings
    variables = {k: v for k, v in context.variables.items() if k != "TEA_RUNNER_CONFIG"}
    return replace(context, config=None, variables=variables).settings


def _known(context: Context, path: Path, wanted: dict[str, str]) -> Path | None:
    """The token file of settings that are there.

    :raises UserError: when they name another forge, account or URL.
    """
    if not path.exists():
        return None
    settings = load_settings(file=path, env={"HOME": context.variables.get("HOME", "/")}, flags={})
    for name, value in wanted.items():
        if name == "forge.token_file" or settings.source(name) == "default":
            continue
        if str(settings.get(name)).rstrip("/") != value:
            raise UserError(
                f"{path} has {name} = {settings.get(name)}, not {value}",
                hint="edit that line, or write other settings: tea-runner --config FILE setup …",
            )
    missing = [name for name in wanted if settings.source(name) == "default"]
    if missing:
        raise UserError(
            f"{path} is there and lacks {', '.join(missing)}",
            hint="; ".join(f"{name} = {json.dumps(wanted[name])}" for name in missing),
        )
    return settings.forge.token_file


@contextmanager
def _admin_rights(person: GiteaAdministrator, repository: str, bot: str) -> Iterator[None]:
    """Let the account add a webhook; afterwards it may write, or what it could do before."""
    before = person.permission(repository, bot)
    if before in ("admin", "owner"):
        yield
        return
    person.grant(repository, bot, "admin")
    try:
        yield
    finally:
        person.grant(repository, bot, "write")


def _write_secret(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text + "\n")
    except OSError as error:
        raise OutsideError(
            f"{path} cannot be written: {error.strerror}", hint="name other settings: --config FILE"
        ) from error
