"""What becomes of a pull that fails."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tea_runner.core.errors import CommandError, Refused
from tea_runner.sandbox.engine_images import ImageMissing, pull_image


def _refusing(words: str) -> Callable[..., bytes]:
    def client(*_: str, **__: object) -> bytes:
        raise CommandError(("podman", "pull"), 125, words)

    return client


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Error: manifest unknown", Refused),
        ("Error response from daemon: pull access denied for x", ImageMissing),
        ("unauthorized: authentication required", ImageMissing),
        ("dial tcp: i/o timeout", CommandError),
    ],
)
def test_a_pull_that_fails_says_whether_another_machine_may_have_the_image(
    words: str, kind: type[Exception]
) -> None:
    """A login is this machine's; what the registry does not have, nobody gets."""
    with pytest.raises(kind) as caught:
        pull_image(_refusing(words), "podman", "example.org/x@sha256:1", {}, plain=False)
    assert kind is type(caught.value)
