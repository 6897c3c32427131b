"""A terminal for a command in a sandbox: a pseudo-terminal of its own, joined to this process's.

The command never has the terminal of the person itself, into which it could push characters.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Iterator

_CHUNK = 65536
#: Seconds between two looks at the size of the terminal.
_LOOK = 0.5


@contextlib.contextmanager
def relayed_terminal() -> Iterator[int]:
    """The command's end of a pseudo-terminal; the other one is joined to standard input and output.

    :raises OSError: when standard input is no terminal.
    """
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    before = termios.tcgetattr(keyboard)
    ours, theirs = os.openpty()
    stop, stopped = os.pipe()
    thread = threading.Thread(target=_relay, args=(keyboard, screen, ours, stop), daemon=True)
    try:
        _copy_size(keyboard, ours)
        tty.setraw(keyboard, termios.TCSADRAIN)
        thread.start()
        try:
            yield theirs
        finally:
            os.close(theirs)
            os.close(stopped)
            thread.join()
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
        os.close(stop)
        os.close(ours)


def _relay(keyboard: int, screen: int, ours: int, stop: int) -> None:
    """Pass on what is typed and what is printed, until the command's end is closed everywhere."""
    sources, ending = {keyboard, ours, stop}, False
    while True:
        ready, _, _ = select.select(sources, [], [], 0 if ending else _LOOK)
        if ours in ready:
            data = _read(ours)
            if not data:
                return
            os.write(screen, data)
        elif ending:
            # What was printed before the end has been passed on.
            return
        if stop in ready:
            ending = True
            sources = {ours}
        elif keyboard in ready:
            data = _read(keyboard)
            if data:
                os.write(ours, data)
            else:
                # The end of what is typed is Ctrl-D for the command.
                os.write(ours, b"\x04")
                sources.discard(keyboard)
        _copy_size(keyboard, ours)


def _read(descriptor: int) -> bytes:
    """What can be read; nothing when the other end is closed (EIO of a pseudo-terminal)."""
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:
        return b""


def _copy_size(source: int, target: int) -> None:
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, bytes(8))
        if size != fcntl.ioctl(target, termios.TIOCGWINSZ, bytes(8)):
            fcntl.ioctl(target, termios.TIOCSWINSZ, size)
