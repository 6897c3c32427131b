"""Name of the person at this terminal, for what they ask of a server."""

from __future__ import annotations

import os
import pwd
import socket


def operator_name() -> str:
    """The account of this process and this machine, such as ``ada on lab1``.

    It is what the operating system says; no variable changes it.
    """
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = f"user {number}"
    return f"{name} on {socket.gethostname()}"
