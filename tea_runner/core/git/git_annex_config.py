"""Settings that ``git annex config`` keeps on the ``git-annex`` branch (``config.log``)."""

from __future__ import annotations

LARGEFILES = "annex.largefiles"


def parse_annex_config(log: bytes) -> dict[str, str]:
    """Values by name; of several lines the newest counts, and an empty value is none.

    A line is ``<seconds>s <name> <value>`` (git-annex, "internals", ``config.log``).
    """
    newest: dict[str, tuple[float, str]] = {}
    for line in log.decode("utf-8", "surrogateescape").splitlines():
        stamp, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")
        try:
            seconds = float(stamp.removesuffix("s"))
        except ValueError:
            continue
        if name not in newest or newest[name][0] <= seconds:
            newest[name] = (seconds, value.strip())
    return {name: value for name, (_, value) in newest.items() if value}
