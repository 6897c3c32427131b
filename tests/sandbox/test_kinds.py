"""The environment of the settings is used, and never another in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tea_runner.core.errors import Refused, SettingsError
from tea_runner.sandbox.kinds import EnvironmentChoice, choose_environment

_IMAGE = "name@sha256:" + "a" * 64


def test_a_command_without_an_image_has_the_sandbox_that_is_set() -> None:
    """The setting selects the environment; running without a sandbox must be explicit."""
    assert "off" == choose_environment("", EnvironmentChoice(sandbox="off")).name


def test_a_sandbox_that_cannot_be_had_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A missing sandbox is never replaced by none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match=r"apt install bubblewrap.*sandbox.kind"):
        choose_environment("", EnvironmentChoice())


def test_an_image_without_a_container_engine_is_refused() -> None:
    """A command with an image is not run on the host."""
    with pytest.raises(Refused, match="add one on the worker"):
        choose_environment(_IMAGE, EnvironmentChoice())


def test_a_missing_engine_is_refused(tmp_path: Path) -> None:
    """The engine in the settings is used, or none."""
    choice = EnvironmentChoice(container="docker", variables={"PATH": str(tmp_path)})
    with pytest.raises(Refused, match="docker is missing"):
        choose_environment(_IMAGE, choice)


@pytest.mark.parametrize(
    ("image", "choice"),
    [
        ("", EnvironmentChoice(sandbox="none")),
        ("", EnvironmentChoice(sandbox="docker")),
        (_IMAGE, EnvironmentChoice(container="host")),
        (_IMAGE, EnvironmentChoice(container="rkt")),
    ],
)
def test_an_unknown_kind_is_named_with_those_that_are_known(
    image: str, choice: EnvironmentChoice
) -> None:
    """An unknown kind is a SettingsError."""
    with pytest.raises(SettingsError, match="choose one of"):
        choose_environment(image, choice)
