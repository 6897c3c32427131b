"""Names of images, with every default."""

from __future__ import annotations

import time

import pytest

from tea_runner.core.spec.image_reference import parse_image

_DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
        ("pachyderm/opencv:1.0", "docker.io/pachyderm/opencv:1.0"),
        ("index.docker.io/library/ubuntu", "docker.io/library/ubuntu:latest"),
        ("registry.example.org/a/b", "registry.example.org/a/b:latest"),
        ("registry.example.org:5000/a:1", "registry.example.org:5000/a:1"),
        ("localhost/a", "localhost/a:latest"),
        ("127.0.0.1:5000/a__b/c-d.e:V_1", "127.0.0.1:5000/a__b/c-d.e:V_1"),
        (f"ubuntu@{_DIGEST}", f"docker.io/library/ubuntu@{_DIGEST}"),
        (f"ubuntu:24.04@{_DIGEST}", f"docker.io/library/ubuntu@{_DIGEST}"),
    ],
)
def test_a_name_has_defaults(text: str, expected: str) -> None:
    """Docker Hub, its library, and the tag latest; a digest counts more than a tag."""
    assert expected == str(parse_image(text))


@pytest.mark.parametrize(
    "text",
    [
        *("", ":1", "a:", "a b", "ubuntu:.", "a@sha256:1", f"@{_DIGEST}", "a//b", "/a"),
        *(
            "--privileged",
            "a;id",
            "$(id)",
            "../a",
            "a/../b",
            "http://a/b",
            "a:b:c",
            "a\n",
            "a" * 300,
        ),
    ],
)
def test_what_is_no_name(text: str) -> None:
    """Nothing else is one: neither an option nor a path nor an address."""
    assert parse_image(text) is None


def test_no_name_takes_long() -> None:
    """The pattern does not go back and forth."""
    began = time.process_time()
    for text in ("a" * 511, "a-" * 255, "a/" * 255, "a_" * 255 + "!", ("a" * 30 + ".") * 16):
        parse_image(text)
    assert time.process_time() - began < 0.5
