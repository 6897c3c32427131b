"""``tea-runner check``: check the installation, with a next step for each problem."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import click

from tea_runner.cli.forge_repository_checks import check_repositories
from tea_runner.cli.installation_checks import (
    Finding,
    check_annex,
    check_datalad,
    check_fleet,
    check_git,
    check_pauses,
    check_queue_key,
    check_redis,
    check_sandbox,
    check_settings_read,
    check_state,
)
from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.cli.schedule_checks import check_clock
from tea_runner.cli.sign_in_checks import check_sign_in
from tea_runner.core.errors import TeaError
from tea_runner.host.tool_search_path import tool_variables


@click.command("check")
@json_option
@click.pass_obj
def command(context: Context) -> int:
    """Check settings, programs and servers.

    One line each: ok, warning (not available, and only needed with a server) or error, with the
    next step. The exit code is 1 when there is an error.
    """
    findings = []
    for finding in _findings(context):
        findings.append(finding)
        if not context.as_json and not (context.quiet and finding.state == "ok"):
            click.echo(f"{finding.name}({finding.state}): {finding.text}")
    if context.as_json:
        rows = [{"name": f.name, "state": f.state, "text": f.text} for f in findings]
        click.echo(json.dumps(rows, indent=1))
    return int(any(finding.state == "error" for finding in findings))


def _findings(context: Context) -> Iterator[Finding]:
    variables = {**context.variables, **tool_variables(context.variables)}
    yield from check_git(variables)
    yield from check_annex(variables)
    yield from check_datalad(context.variables)
    try:
        settings = context.settings
    except TeaError as error:
        yield Finding("settings", "error", error.message)
        return
    changed = sum(source != "default" for source in settings.sources.values())
    text = f"{changed} changed from default" if changed else "all at their defaults"
    yield Finding("settings", "ok", text)
    state = check_state(settings.state.expanduser())
    yield from state
    if state[0].state == "error":
        return
    yield from check_sandbox(
        context.site.environment_choice,
        settings.environments,
        network=settings.sandbox.network,
    )
    queue = check_redis(context.site.redis_facts, wanted=bool(settings.redis.url))
    yield from queue
    if queue[0].state == "ok":
        site = context.site
        key = check_queue_key(lambda: site.queue_key.state())
        yield key
        yield from check_fleet(site.fleet)
        yield from check_pauses(site.orders.all)
        yield from check_clock(site)
        if key.state == "ok":
            yield from check_settings_read(site.processes.all, site.secret, socket.gethostname())
    yield from _forge(context)
    if settings.triggers:
        from tea_runner.cli.trigger_checks import check_triggers

        yield from check_triggers(context.site)
    # smtplib and requests are read for servers with such settings only.
    from workers.send_notice import notice_channels

    for channel in notice_channels(context.site):
        try:
            channel.check()
            yield Finding("notify", "ok", channel.name)
        except TeaError as error:
            yield Finding("notify", "error", error.message)


def _forge(context: Context) -> Iterator[Finding]:
    settings = context.settings
    wanted = settings.source("forge.url") != "default"
    try:
        wrong = list(context.site.forge.check())
    except TeaError as error:
        wrong = [error.message]
    for sentence in wrong:
        rest = "" if wanted else " (only needed with a server)"
        yield Finding("forge", "error" if wanted else "warning", sentence + rest)
    if not wrong:
        yield Finding("forge", "ok", settings.forge.url)
        yield from check_repositories(context.site)
    yield from check_sign_in(context.site)
    if settings.storage:
        yield Finding("storage", "ok", ", ".join(storage.name for storage in settings.storage))
    else:
        yield Finding(
            "storage",
            "warning",
            "none is configured, so a server cannot store annexed results; add a [[storage]] table "
            "to the settings (tea-runner config generate shows one)",
        )
