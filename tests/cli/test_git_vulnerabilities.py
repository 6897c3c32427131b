"""Versions of git with known vulnerabilities."""

from __future__ import annotations

import pytest

from tea_runner.cli.git_vulnerabilities import FIXED_IN, unfixed

ALL = list(FIXED_IN)


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ((2, 38, 1), ALL),
        ((2, 39, 5), ["CVE-2024-52006", "CVE-2025-48384"]),
        ((2, 43, 3), ALL),
        ((2, 43, 6), ["CVE-2025-48384"]),
        ((2, 43, 7), []),
        ((2, 48, 1), ["CVE-2025-48384"]),
        ((2, 50), ["CVE-2025-48384"]),
        ((2, 50, 1), []),
        ((2, 51), []),
        ((3, 0), []),
    ],
)
def test_each_line_of_releases_has_its_own_fix(version: tuple[int, ...], found: list[str]) -> None:
    """A release counts as fixed from the patch release of its line on."""
    assert found == unfixed(version)


def test_a_fix_that_the_distribution_made_counts() -> None:
    """Its package keeps the upstream version, and names the vulnerability in its changelog."""
    changelog = "git (1:2.39.5-0+deb12u3)\n  * CVE-2025-48384: quoting of values\n"
    assert ["CVE-2024-52006"] == unfixed((2, 39, 5), changelog)
