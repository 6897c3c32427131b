"""What an account of tea-runner needs in an organisation of a forge: a team that writes, and one webhook."""

from __future__ import annotations

from tea_runner.forge.gitea_administrator import GiteaAdministrator
from tea_runner.forge.registered_webhook_store import WebhookStore


def connect_organisation(
    person: GiteaAdministrator,
    hooks: WebhookStore,
    organisation: str,
    *,
    bot: str,
    base: str,
) -> bool:
    """Connect all repositories of an organisation, also those that are made later; may be repeated.

    :param hooks: where the secret of the webhook is kept.
    :param base: URL of the receiver as seen from the forge.
    :returns: False when the webhook was known already; the forge gets it anew all the same.
    :raises ForgeError: when the forge refuses a step.
    """
    person.ensure_organisation(organisation)
    person.ensure_writer(organisation, bot, bot)
    pattern = f"{organisation}/*"
    known = next((hook for hook in hooks.all() if hook.repository == pattern), None)
    hook = known or hooks.new("gitea", pattern)
    # Kept first: a delivery may arrive before the response of the forge.
    hooks.keep(hook)
    person.ensure_webhook(organisation, f"{base}/hooks/gitea/{hook.id}", hook.secrets[0])
    return known is None
