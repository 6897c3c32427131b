"""Checks before a server starts, so that a problem is one line on the terminal."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from tea_runner.cli.main import Context
from tea_runner.cli.running_server_settings import LOCK
from tea_runner.core.errors import OutsideError, Refused, SettingsError
from tea_runner.core.host_and_port import format_address
from tea_runner.core.planning.worker_requirement import OF_ENVIRONMENT
from tea_runner.host.private_folder import make_private_folder
from tea_runner.sandbox.kinds import WATCHED, memory_control, memory_refusal

log = logging.getLogger(__name__)

_LAST_PORT = 65535
#: A verb that looks whether a server runs holds the lock for an instant.
_LOCK_TRIES = 5
#: Why a worker can do no job.
NO_ENVIRONMENT = "none of the environments in the settings can be used here"


def require_sandbox(context: Context) -> None:
    """Check the sandbox, if commands run on this host, and log how it limits their memory.

    :raises Refused: when it is not available, or its limits are not what the settings require.
    """
    if "host" not in context.settings.environments:
        return
    refusal = context.site.host.check()
    if refusal:
        raise Refused(f'{refusal}; or run commands without a sandbox: sandbox.kind = "off"')
    choice = context.site.environment_choice
    refusal = memory_refusal(choice.sandbox, choice)
    if refusal:
        raise Refused(refusal)
    if choice.sandbox == "host" and memory_control("host", choice) == "watched":
        log.warning("%s", WATCHED)


def require_offers(context: Context) -> None:
    """Check that a worker can do any jobs here; log which environments of the settings cannot be used.

    :raises Refused: when it can do none.
    """
    offers = context.site.offers()
    if not offers:
        raise Refused(NO_ENVIRONMENT, hint="tea-runner check says why")
    for kind in context.settings.environments:
        if OF_ENVIRONMENT[kind] not in offers:
            log.warning("%s cannot be used here now, so its jobs are left to others", kind)


def require_queue(context: Context) -> None:
    """Check that Redis has a URL; the server itself may start later.

    :raises SettingsError: when it has none.
    """
    _ = context.site.redis_url


def require_queue_key(context: Context) -> None:
    """Check that this host has the key with which the planners sign jobs.

    :raises Refused: when it has another one.
    :raises QueueError: when Redis does not answer.
    """
    from tea_runner.broker.signing_key_fingerprint import OTHER_KEY

    if context.site.queue_key.state() == "other":
        raise Refused(OTHER_KEY)


def require_port(context: Context) -> None:
    """Check that the port of the pages is valid and free.

    :raises SettingsError: when host or port is not valid.
    :raises OutsideError: when the port is in use or not permitted.
    """
    web = context.settings.web
    if not 0 < web.port <= _LAST_PORT:
        raise SettingsError(
            f"web.port: {web.port} is not a port", hint=f"choose one from 1 to {_LAST_PORT}"
        )
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            web.host or None, web.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        text = f"web.host: {web.host} is not an address of this machine; use 127.0.0.1 or 0.0.0.0"
        raise SettingsError(text) from error
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        what = "the port is in use" if taken else str(error.strerror)
        step = "choose another one: -c web.port=PORT" if taken else "check web.host"
        raise OutsideError(f"{format_address(web.host, web.port)}: {what}", hint=step) from error


@contextlib.contextmanager
def state_lock(state: Path) -> Iterator[None]:
    """Lock the state folder for the servers of this process; the kernel releases the lock.

    :raises OutsideError: when the folder cannot be made, or another process holds the lock.
    """
    make_private_folder(state, "state")
    with (state / LOCK).open("ab") as lock:
        for tries_left in reversed(range(_LOCK_TRIES)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if not tries_left:
                    raise OutsideError(
                        f"{state}: another tea-runner uses this folder",
                        hint="stop it with Ctrl-C, or choose another folder: -c state=DIR",
                    ) from error
            time.sleep(0.1)
        yield
