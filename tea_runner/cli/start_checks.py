"""Settings in, silence or the sentence that says why a server cannot start here out.

What is found before anything was started is one line on the terminal; found later it is a line in
the log of a process that is started again and again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import socket
from collections.abc import Iterator
from pathlib import Path

from tea_runner.cli.main import Context
from tea_runner.core.errors import OutsideError, Refused, SettingsError

_LAST_PORT = 65535


def require_sandbox(context: Context) -> None:
    """The sandbox that policy asks for, where commands run on this host itself.

    :raises Refused: when it is missing; nothing falls back silently.
    """
    if "host" not in context.settings.environments:
        return
    refusal = context.site.host.check()
    if refusal:
        raise Refused(f'{refusal}; or decide to run without a sandbox: sandbox.kind = "off"')


def require_queue(context: Context) -> None:
    """An address of Redis; whether it answers is another matter, because it may come later.

    :raises SettingsError: when none is known.
    """
    _ = context.site.redis_url


def require_port(context: Context) -> None:
    """The port of the pages is a port, and free.

    :raises SettingsError: when it is none.
    :raises OutsideError: when somebody listens there, or we may not.
    """
    web = context.settings.web
    if not 0 < web.port <= _LAST_PORT:
        raise SettingsError(f"web.port: {web.port} is no port; choose one from 1 to {_LAST_PORT}")
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            web.host or None, web.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, number) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        text = f"web.host: {web.host} is no address of this machine; 127.0.0.1 is, and 0.0.0.0"
        raise SettingsError(text) from error
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        what = "somebody else listens there" if taken else str(error.strerror)
        step = "stop that, or choose another port: -c web.port=PORT" if taken else "see web.host"
        raise OutsideError(f"{web.host}:{web.port}: {what}; {step}") from error


@contextlib.contextmanager
def alone(state: Path) -> Iterator[None]:
    """The only one that runs servers on this state folder; the kernel ends it with the process.

    :raises OutsideError: when there is another.
    """
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state / "up.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutsideError(
                f"{state}: another tea-runner runs its servers on this folder; end that one with "
                "Ctrl-C, or take another folder: -c state=DIR"
            ) from error
        yield
