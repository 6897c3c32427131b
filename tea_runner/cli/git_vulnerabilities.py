"""Known vulnerabilities of git that matter to a program which reads strangers' repositories."""

from __future__ import annotations

from collections.abc import Sequence

#: Vulnerability to the first release of each line in which it is fixed (git's release notes).  Lines
#: that are older than the first one have no fixed release; newer than the last one are fixed.
FIXED_IN: dict[str, Sequence[tuple[int, int, int]]] = {
    # A repository with submodules writes into .git/ of a clone and runs a hook.
    "CVE-2024-32002": (
        (2, 39, 4),
        (2, 40, 2),
        (2, 41, 1),
        (2, 42, 2),
        (2, 43, 4),
        (2, 44, 1),
        (2, 45, 1),
    ),
    # A URL with a carriage return gets the credentials of another host.
    "CVE-2024-52006": (
        (2, 40, 4),
        (2, 41, 3),
        (2, 42, 4),
        (2, 43, 6),
        (2, 44, 3),
        (2, 45, 3),
        (2, 46, 3),
        (2, 47, 2),
        (2, 48, 1),
    ),
    # A path that ends in a carriage return puts a submodule elsewhere, where a hook runs.
    "CVE-2025-48384": (
        (2, 43, 7),
        (2, 44, 4),
        (2, 45, 4),
        (2, 46, 4),
        (2, 47, 3),
        (2, 48, 2),
        (2, 49, 1),
        (2, 50, 1),
    ),
}


def unfixed(version: Sequence[int], changelog: str = "") -> list[str]:
    """The vulnerabilities that a git has.

    :param version: numbers of the upstream release, such as ``(2, 39, 5)``.
    :param changelog: of the distribution's package; a vulnerability that it names is fixed there.
    """
    release = (*version[:3], 0, 0, 0)[:3]
    return [
        name
        for name, fixes in FIXED_IN.items()
        if name not in changelog and not _has_fix(release, fixes)
    ]


def _has_fix(release: tuple[int, ...], fixes: Sequence[tuple[int, int, int]]) -> bool:
    for fix in fixes:
        if release[:2] == fix[:2]:
            return release >= fix
    return release > fixes[-1]
