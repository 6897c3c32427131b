"""``tea-runner webhook``: webhooks of repositories on the forge."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from urllib.parse import urlsplit

import click

from tea_runner.cli import complete_names
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.core.deliveries.registered_webhook import ListedWebhook, Webhook, is_repository_name
from tea_runner.core.errors import ForgeError, NotFound, OutsideError, UsageError
from tea_runner.present.visible_text import visible
from tea_runner.web.host_names import HostNames


@click.group("webhook")
def command() -> None:
    """Manage webhooks of repositories."""


@command.command("add")
@click.argument("repository", metavar="OWNER/REPO", shell_complete=complete_names.repositories)
@click.option(
    "--url",
    default="",
    metavar="URL",
    help="URL of the receiver as seen from the forge (default: web.url).",
)
@json_option
@click.pass_obj
def add(context: Context, repository: str, url: str) -> None:
    """Create the webhook on the forge, with a new secret."""
    _named(repository)
    settings = context.settings
    base = (url or settings.web_url).rstrip("/")
    hook, address = create_webhook(context, repository, base)
    if context.as_json:
        click.echo(json.dumps({"repository": repository, "id": hook.id, "url": address}))
        return
    click.echo(f"pushes to {repository} are delivered to {base}")
    if not settings.web.url and not url:
        click.echo("web.url is not set, so the forge must be able to reach this address")
    host = urlsplit(base).netloc.rpartition("@")[2]
    if not HostNames(settings).accepts(host):
        click.echo(
            f"warning: the receiver refuses deliveries to {visible(host)}; add it to web.hosts and "
            "restart the receiver",
            err=True,
        )
    click.echo(f"try it: tea-runner webhook test {repository}")


def create_webhook(context: Context, repository: str, base: str) -> tuple[Webhook, str]:
    """Create the webhook of a repository on the forge, in place of a former one.

    :param base: URL of the receiver as seen from the forge.
    :returns: the webhook, and the URL of its deliveries.
    :raises ForgeError: when the forge declines or does not answer; then there is no webhook.
    """
    site = context.site
    number = site.forge.repository_id(repository)
    for old in _of(context, repository):
        # Replace it: it may have been deleted on the forge.
        site.forge.remove_webhook(repository, old.forge_hook)
        site.webhooks.remove(old.id)
    dialect = context.settings.forge.kind
    # The hook of a folder of repositories sends what Gitea sends.
    dialect = "gitea" if dialect == "folder" else dialect
    hook = site.webhooks.new(dialect, repository, repository_id=number)
    address = f"{base}/hooks/{dialect}/{hook.id}"
    # Saved first: a delivery may arrive before the response of the forge.
    site.webhooks.keep(hook)
    try:
        made = site.forge.add_webhook(repository, url=address, secret=hook.secrets[0])
    except ForgeError:
        site.webhooks.remove(hook.id)
        raise
    hook = replace(hook, forge_hook=made)
    site.webhooks.keep(hook)
    return hook, address


@command.command("remove")
@click.argument("repository", metavar="OWNER/REPO", shell_complete=complete_names.repositories)
@json_option
@click.pass_obj
def remove(context: Context, repository: str) -> None:
    """Delete the webhook, on the forge and here."""
    _named(repository)
    for hook in _found(context, repository):
        # Deleted here first: deliveries are refused from now on, even if the forge fails.
        context.site.webhooks.remove(hook.id)
        if hook.forge_hook:
            context.site.forge.remove_webhook(repository, hook.forge_hook)
    click.echo(f"pushes to {repository} are no longer delivered")


@command.command("rotate")
@click.argument("repository", metavar="OWNER/REPO", shell_complete=complete_names.repositories)
@json_option
@click.pass_obj
def rotate(context: Context, repository: str) -> None:
    """Give the webhook a new secret; the old one is refused from then on.

    Both are accepted until the forge has the new one. The address stays the same.
    """
    _named(repository)
    site = context.site
    for hook in _found(context, repository):
        address = _inspect(context, hook).url
        rotated = site.webhooks.rotate(hook.id)
        try:
            made = site.forge.add_webhook(repository, url=address, secret=rotated.secrets[0])
        except ForgeError:
            site.webhooks.keep(hook)
            raise
        # Gitea cannot change a secret: the new webhook takes the place of all others at the address.
        for other in site.forge.webhooks(repository):
            if other.url == address and other.id != made:
                site.forge.remove_webhook(repository, other.id)
        site.webhooks.keep(replace(rotated, secrets=rotated.secrets[:1], forge_hook=made))
    click.echo(f"the webhook of {repository} has a new secret")


@command.command("list")
@json_option
@click.pass_obj
def list_(context: Context) -> None:
    """List the webhooks, and whether the forge still has them."""
    rows = [(hook, _state(context, hook)) for hook in context.site.webhooks.all()]
    if context.as_json:
        documents = [
            {"repository": hook.repository, "id": hook.id, "state": state} for hook, state in rows
        ]
        click.echo(json.dumps(documents))
        return
    if not rows:
        click.echo("there are no webhooks; create one with: tea-runner webhook add OWNER/REPO")
    for hook, state in rows:
        click.echo(f"{hook.repository}  {state}")


@command.command("test")
@click.argument("repository", metavar="OWNER/REPO", shell_complete=complete_names.repositories)
@click.option(
    "--wait",
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Maximum time to wait for the delivery; 0 does not wait.",
)
@json_option
@click.pass_obj
def test(context: Context, repository: str, wait: float) -> None:
    """Let the forge send a test delivery, and wait until it arrives."""
    _named(repository)
    for hook in _found(context, repository):
        _inspect(context, hook)
        before = context.site.webhooks.tested(hook.id)
        context.site.forge.test_webhook(repository, hook.forge_hook)
        if wait:
            _await(context, hook, before, wait)
    text = "delivery received, signature valid" if wait else "test delivery requested"
    click.echo(f"{repository}: {text}")


def _await(context: Context, hook: Webhook, before: int, wait: float) -> None:
    until = time.monotonic() + wait
    while context.site.webhooks.tested(hook.id) == before:
        if time.monotonic() > until:
            raise OutsideError(
                f"no test delivery for {hook.repository} arrived within {wait:g} s; the hook's "
                "page on the forge shows why: if it could not connect, check web.url here and "
                "ALLOWED_HOST_LIST there; after a 401 or 404, run tea-runner webhook add again"
            )
        time.sleep(0.1)


def _inspect(context: Context, hook: Webhook) -> ListedWebhook:
    there = _on_forge(context, hook)
    if there is None:
        raise NotFound(
            f"the webhook of {hook.repository} is missing on the forge",
            hint="run tea-runner webhook add again",
        )
    if not there.active:
        raise ForgeError(
            f"the webhook of {hook.repository} is disabled on the forge",
            hint="enable it there, or run tea-runner webhook add again",
        )
    return there


def _state(context: Context, hook: Webhook) -> str:
    try:
        there = _on_forge(context, hook)
    except ForgeError as error:
        return f"unknown: {error.message}"
    if there is None:
        return "missing on the forge; add it again"
    return "active" if there.active else "disabled on the forge"


def _on_forge(context: Context, hook: Webhook) -> ListedWebhook | None:
    kept = context.site.forge.webhooks(hook.repository)
    return next((each for each in kept if each.id == hook.forge_hook), None)


def _of(context: Context, repository: str) -> list[Webhook]:
    return [hook for hook in context.site.webhooks.all() if hook.repository == repository]


def _found(context: Context, repository: str) -> list[Webhook]:
    found = _of(context, repository)
    if not found:
        raise NotFound(
            f"there is no webhook for {repository}",
            hint=f"create it: tea-runner webhook add {repository}; tea-runner webhook list shows all",
        )
    return found


def _named(repository: str) -> None:
    if not is_repository_name(repository):
        raise UsageError(f"{repository}: expected OWNER/REPO, such as lab/edges")
