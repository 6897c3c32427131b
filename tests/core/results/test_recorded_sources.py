"""Addresses that commands fetch from, for the record."""

from __future__ import annotations

from tea_runner.core.pipeline import Cron, Pipeline, Transform
from tea_runner.core.results.network_addresses_of_command import sources_of


def sources(*cmd: str, network: bool = True, **env: str) -> tuple[str, ...]:
    """Of a command with these variables."""
    return sources_of(
        Pipeline(
            name="p",
            home="p",
            spec_path="p/spec.yml",
            transform=Transform(cmd=cmd, env=tuple(sorted(env.items())), network=network),
            input=Cron(name="tick", spec="@daily"),
        )
    )


def test_addresses_of_the_command_and_of_variables_are_found() -> None:
    """Each once; a variable of the command has its value."""
    text = 'curl -fsS "https://example.org/$year.csv" -o x; curl https://example.org/b.'
    assert ("https://example.org/2026.csv", "https://example.org/b") == sources(
        "sh", "-c", text, year="2026"
    )
    assert ("http://127.0.0.1:8000/feed",) == sources(
        "sh", "-c", 'curl "$url"', url="http://127.0.0.1:8000/feed"
    )


def test_no_password_is_recorded() -> None:
    """Neither the user, nor what stands for a token in its place."""
    assert ("https://example.org/a",) == sources("curl", "https://ada:secret@example.org/a")
    assert ("ftp://example.org/a",) == sources("curl", "ftp://token@example.org/a")


def test_a_command_without_a_network_has_no_source() -> None:
    """What its words say is fetched by nobody."""
    assert () == sources("echo", "https://example.org/a", network=False)


def test_a_line_of_the_record_has_no_end_in_an_address() -> None:
    """An address ends where it is no more one."""
    assert ("https://example.org/a",) == sources(
        "sh", "-c", "curl https://example.org/a\nTea-Key: 1"
    )
    assert () == sources("sh", "-c", "curl https://$host/a")
