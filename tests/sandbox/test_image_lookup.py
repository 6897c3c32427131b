"""Which image a name has, by the operator's decisions and the answers of registry and engine."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.core.spec.image_reference import ImageReference
from tea_runner.sandbox.image_lookup import ImageLookup
from tea_runner.sandbox.image_policy import ImageNotFound, ImagePolicy, parse_names

A, B = ("sha256:" + letter * 64 for letter in "ab")
NAME = "docker.io/library/tool"


@dataclass
class World:
    """A registry, an engine and a clock."""

    registry: dict[str, str | Exception] = field(default_factory=dict)
    engine: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    seconds: float = 0.0
    now: float = 0.0

    def ask_registry(self, image: ImageReference) -> str:
        """An answer after some seconds."""
        self.asked.append(str(image))
        self.now += self.seconds
        answer = self.registry.get(str(image), ImageNotFound("registry has no such image"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask_engine(self, image: ImageReference, _: str) -> str:
        """What the engine has."""
        return self.engine.get(str(image), "")

    def digests(self, **policy: object) -> ImageLookup:
        """The part that is tested."""
        return ImageLookup(
            ImagePolicy(**policy),  # type: ignore[arg-type]
            self.ask_registry,
            self.ask_engine,
            clock=lambda: self.now,
        )


def test_a_tag_has_the_digest_that_the_registry_says() -> None:
    """The answer counts for a minute."""
    world = World(registry={f"{NAME}:1": A})
    images = world.digests()
    assert f"{NAME}@{A}" == images.digest("tool:1", "")
    world.registry[f"{NAME}:1"] = B
    assert f"{NAME}@{A}" == images.digest("tool:1", f"{NAME}@{A}")
    world.now += 61
    assert f"{NAME}@{B}" == images.digest("tool:1", f"{NAME}@{A}")
    assert 2 == len(world.asked)


def test_once_keeps_what_the_results_were_made_with() -> None:
    """The registry is asked for an image without results only."""
    world = World(registry={f"{NAME}:1": B})
    images = world.digests(tags="once")
    assert f"{NAME}@{A}" == images.digest("tool:1", f"{NAME}@{A}")
    assert f"{NAME}@{B}" == images.digest("tool:1", "")


def test_tags_can_be_refused() -> None:
    """The sentence says what to write."""
    world = World(registry={f"{NAME}:1": A})
    with pytest.raises(Refused, match=r"has no digest.*tea-runner pin"):
        world.digests(tags="refuse").digest("tool:1", f"{NAME}@{A}")
    assert [] == world.asked


def test_the_operator_names_images() -> None:
    """A name stands for a tag, or for a digest, which needs no registry."""
    world = World(registry={f"{NAME}:1": A})
    names = parse_names(("opencv=tool:1", f"fixed = example.org/a:2@{B}"))
    images = world.digests(names=names)
    assert f"{NAME}@{A}" == images.digest("opencv", "")
    assert f"example.org/a@{B}" == world.digests(names=names, tags="refuse").digest("fixed", "")


def test_an_image_of_the_engine_is_taken_if_no_registry_has_it() -> None:
    """One that was built here has its id, also while the registry does not answer."""
    world = World(engine={f"{NAME}:1": A})
    assert A == world.digests().digest("tool:1", B)
    world.registry[f"{NAME}:1"] = OutsideError("no answer")
    assert A == world.digests().digest("tool:1", B)
    with pytest.raises(ImageNotFound):
        world.digests().digest("other:1", "")


def test_without_an_answer_the_recorded_digest_stays() -> None:
    """An outage changes nothing; without a record it is an outage of the image."""
    world = World(registry={f"{NAME}:1": OutsideError("no answer")}, engine={f"{NAME}:1": B})
    assert f"{NAME}@{A}" == world.digests().digest("tool:1", f"{NAME}@{A}")
    world.engine.clear()
    with pytest.raises(OutsideError, match="no answer"):
        world.digests().digest("tool:1", "")


def test_only_allowed_registries_are_asked() -> None:
    """Patterns of hosts; one without encryption is written with http://."""
    world = World(registry={"127.0.0.1:5000/a:1": A, f"{NAME}:1": A})
    images = world.digests(registries=("http://127.0.0.1:5000", "*.example.org"))
    assert f"127.0.0.1:5000/a@{A}" == images.digest("127.0.0.1:5000/a:1", "")
    for image in ("tool:1", "127.0.0.1:5001/a:1", "example.org.evil.test/a:1"):
        with pytest.raises(Refused, match="not allowed here"):
            images.digest(image, "")


def test_registries_that_do_not_answer_do_not_hold_a_planner() -> None:
    """However many names a pipeline file has, they take about a minute in five."""
    world = World(seconds=15.0)
    world.registry = {f"h{n}.example.org/a:1": OutsideError("no answer") for n in range(100)}
    world.registry[f"{NAME}:1"] = A
    images = world.digests()
    for n in range(100):
        with pytest.raises(OutsideError):
            images.digest(f"h{n}.example.org/a:1", "")
    assert 5 == len(world.asked)
    world.now += 301
    assert f"{NAME}@{A}" == images.digest("tool:1", "")


@pytest.mark.parametrize("row", ["opencv", "=a", "a=", ""])
def test_a_malformed_name_is_an_error(row: str) -> None:
    """Each row is NAME=IMAGE."""
    with pytest.raises(ValueError, match="^" + row):
        parse_names((row,))
