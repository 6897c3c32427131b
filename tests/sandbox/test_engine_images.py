"""Images that engines pull from a real registry, and those that they have."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tea_runner.core.errors import Refused
from tea_runner.core.spec.image_reference import ImageReference, parse_image
from tea_runner.host import process
from tea_runner.sandbox.container_engine import ContainerEngine
from tea_runner.sandbox.execution_environment import Environment
from tea_runner.sandbox.image_lookup import ImageLookup
from tea_runner.sandbox.image_policy import ImagePolicy
from tea_runner.sandbox.image_registry import ImageRegistries

from .conftest import Bench
from .registry import registry

pytestmark = pytest.mark.engine
_ENGINES = ["docker", "podman"]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry."""
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


def _client(engine: ContainerEngine, *words: str) -> bytes:
    return process.run((engine.name, *words), env=engine.variables, cwd="/").stdout


def _image(text: str) -> ImageReference:
    found = parse_image(text)
    assert found is not None
    return found


def _bench(engine: ContainerEngine, rules: ImagePolicy, image: str, place: Path) -> Bench:
    """The same engine with other rules, and folders to run in."""
    same = ContainerEngine(engine.name, variables=engine.variables, images=rules)
    made = Bench(same, place / "job", image)
    for directory in (made.view, made.out, made.code):
        directory.mkdir(parents=True, exist_ok=True)
    return made


@pytest.fixture(params=_ENGINES)
def pushed(
    request: pytest.FixtureRequest,
    engines: Callable[[str], tuple[Environment, str]],
    host: str,
) -> tuple[ContainerEngine, str]:
    """An engine, and the name of an image that is in the registry and not in the engine."""
    engine, image = engines(request.param)
    assert isinstance(engine, ContainerEngine)
    # An engine remembers images by the names under which it has seen them.
    name = f"{host}/{engine.name}/{uuid.uuid4().hex}:1"
    plain = ["--tls-verify=false"] if engine.name == "podman" else []
    _client(engine, "tag", image, "kept:1")
    _client(engine, "tag", image, name)
    _client(engine, "push", *plain, name)
    _client(engine, "rmi", name)
    return engine, name


def test_an_image_that_is_not_here_is_pulled_by_its_digest(
    pushed: tuple[ContainerEngine, str], tmp_path: Path
) -> None:
    """Where the operator allows it; else the sentence says how to get it."""
    engine, name = pushed
    host = _image(name).host
    policy = ImagePolicy(pull="missing", registries=(f"http://{host}",))
    digest = ImageRegistries({}, plain=policy.plain).digest(_image(name))
    pinned = f"{name}@{digest}"

    def bench(rules: ImagePolicy) -> Bench:
        return _bench(engine, rules, pinned, tmp_path)

    never, other = replace(policy, pull="never"), replace(policy, registries=("*.example.org",))
    with pytest.raises(Refused, match=f"not on this machine; pull it there: {engine.name} pull"):
        bench(never).shell("true")
    with pytest.raises(Refused, match="not on this machine"):
        bench(other).shell("true")
    done = bench(policy)
    assert 0 == done.shell("echo here").code
    assert "here\n" == done.text
    # It is here now.
    assert 0 == bench(never).shell("true").code


def test_an_image_that_no_registry_has_is_refused(
    pushed: tuple[ContainerEngine, str], tmp_path: Path
) -> None:
    """The datum fails with the registry's answer: it would not be there later either."""
    engine, name = pushed
    rules = ImagePolicy(pull="missing", registries=(f"http://{_image(name).host}",))
    with pytest.raises(Refused, match=r"^pulling "):
        _bench(engine, rules, f"{_image(name).name}@sha256:{'0' * 64}", tmp_path).shell("true")


def test_an_image_of_the_engine_has_a_digest(
    pushed: tuple[ContainerEngine, str], tmp_path: Path
) -> None:
    """One that was pulled has its registry's; one that was made here has one that this engine knows."""
    engine, name = pushed
    host = _image(name).host
    digest = ImageRegistries({}, plain=frozenset({host})).digest(_image(name))
    images = ImageLookup(
        ImagePolicy(registries=("127.0.0.1:1", host)),
        # Nothing listens there.
        ImageRegistries({}, timeout=1).digest,
        engine.local_image,
    )
    plain = ["--tls-verify=false"] if engine.name == "podman" else []
    _client(engine, "pull", "--quiet", *plain, name)
    assert _image(name).at(digest) == images.digest(name, "")

    _client(engine, "tag", name, "127.0.0.1:1/made-here:1")
    try:
        found = images.digest("127.0.0.1:1/made-here:1", "")
        assert re.fullmatch(r"(127\.0\.0\.1:1/made-here@)?sha256:[0-9a-f]{64}", found)
        assert 0 == _bench(engine, ImagePolicy(), found, tmp_path).shell("true").code
    finally:
        _client(engine, "rmi", "127.0.0.1:1/made-here:1")


@pytest.mark.parametrize("name", _ENGINES)
def test_without_a_command_the_images_own_runs(
    name: str, engines: Callable[[str], tuple[Environment, str]], tmp_path: Path
) -> None:
    """Its ENTRYPOINT in its WORKDIR; a command replaces both."""
    engine, image = engines(name)
    assert isinstance(engine, ContainerEngine)
    made = _client(engine, "create", image, "true").decode().strip()
    change = [
        "--change",
        'ENTRYPOINT ["/bin/sh", "-c", "echo mine; pwd"]',
        "--change",
        "WORKDIR /etc",
    ]
    identity = (
        _client(engine, "commit", "--quiet", *change, made)
        if name == "podman"
        else (_client(engine, "commit", *change, made))
    )
    _client(engine, "rm", made)
    bench = _bench(engine, ImagePolicy(), f"sha256:{identity.decode().strip()[-64:]}", tmp_path)
    assert 0 == bench.run().code
    assert "mine\n/etc\n" == bench.text
    assert 0 == bench.run("/bin/sh", "-c", "echo other; pwd").code
    assert "other\n/dataset\n" == bench.text
