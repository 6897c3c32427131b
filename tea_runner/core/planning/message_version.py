"""The version of messages that processes leave for one another in Redis: queue items and jobs.

While hosts are upgraded, planners and workers of two versions read the same queues.  A reader ignores a
field that it does not know.  A change that former versions would misread raises :data:`VERSION`: they leave
such a message for a newer process.  Messages without a version are of the first one.
"""

from __future__ import annotations

from tea_runner.core.errors import NewerMessage

#: Of the messages that this version writes; it reads all up to it.
VERSION = 1


def require_readable(version: object) -> None:
    """Check that this version can read a message.

    :param version: the message's; None when it has none.
    :raises NewerMessage: when a newer process wrote it.
    """
    if isinstance(version, int) and version > VERSION:
        raise NewerMessage(
            f"a message of version {version} is left for a newer process; this one reads up to {VERSION}",
            hint="upgrade this host",
        )
