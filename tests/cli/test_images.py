"""``run``, ``plan``, ``lint`` and ``pin`` with images of a real registry, in real engines."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from tea_runner.core.spec.image_reference import parse_image
from tea_runner.host import process
from tea_runner.sandbox.container_engine import ContainerEngine
from tea_runner.sandbox.image_registry import ImageRegistries
from tests.cli.dataset import Dataset
from tests.sandbox.engines import engine
from tests.sandbox.registry import registry

pytestmark = pytest.mark.engine


@dataclass(frozen=True)
class Engine:
    """An engine, an image of it, and the settings with which commands find both and a registry."""

    engine: ContainerEngine
    image: str
    host: str

    @property
    def env(self) -> dict[str, str]:
        """Variables of commands."""
        keep = ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "DOCKER_HOST", "DOCKER_CONFIG")
        variables = {k: v for k, v in self.engine.variables.items() if k in keep}
        return {
            **variables,
            "TEA_RUNNER_ENVIRONMENTS": f"host,{self.engine.name}",
            "TEA_RUNNER_IMAGES__REGISTRIES": f"http://{self.host}",
        }

    def push(self, name: str, text: str) -> str:
        """Push an image with a file ``/tool`` of this text, and forget it here; returns its digest."""
        here, full = f"made-{uuid.uuid4().hex}", f"{self.host}/{name}"
        made = self._client("create", self.image, "true").decode().strip()
        (folder := Path(f"/tmp/tea-{here}")).write_text(text)
        self._client("cp", str(folder), f"{made}:/tool")
        self._client("commit", made, full)
        self._client("rm", made)
        folder.unlink()
        plain = ["--tls-verify=false"] if self.engine.name == "podman" else []
        self._client("push", *plain, full)
        self._client("rmi", full)
        return _digest(self.host, name)

    def _client(self, *words: str) -> bytes:
        return process.run((self.engine.name, *words), env=self.engine.variables, cwd="/").stdout


def _digest(host: str, name: str) -> str:
    found = parse_image(f"{host}/{name}")
    assert found is not None
    return ImageRegistries({}, plain=frozenset({host})).digest(found)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[object, str]]:
    """Engines by name, each made once."""
    return lru_cache(lambda name: engine(name, tmp_path_factory))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry."""
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture(params=["docker", "podman"])
def here(
    request: pytest.FixtureRequest, made: Callable[[str], tuple[object, str]], host: str
) -> Engine:
    """Each engine in turn."""
    found, image = made(request.param)
    assert isinstance(found, ContainerEngine)
    return Engine(found, image, host)


def _spec(image: str) -> str:
    document = {
        "pipeline": {"name": "copy"},
        "input": {"pfs": {"name": "in", "repo": "raw", "glob": "/*"}},
        "transform": {"cmd": ["sh", "-c", 'cat /tool "$in" >"$PFS/out/x"'], "image": image},
    }
    return json.dumps(document, indent=1)


def test_an_image_by_tag_runs_and_runs_again_when_it_moves(here: Engine, tmp_path: Path) -> None:
    """Pulled by its digest; the plan says that the tag has moved; a pinned image stays."""
    name = f"{here.engine.name}-{uuid.uuid4().hex}:1"
    first = here.push(name, "one\n")
    dataset = Dataset(
        tmp_path / "data", {"raw/a": "a\n", "copy/spec.json": _spec(f"{here.host}/{name}")}
    )

    done = dataset.tea("run", "-y", env=here.env)
    assert (0, "one\na\n") == (done.code, (dataset.path / "copy/x").read_text()), done
    assert "Nothing to do." in dataset.tea("run", "-y", env=here.env).lines
    rows = dataset.tea("resolve", "--json", env=here.env).json["pipelines"]
    assert f"{here.host}/{name.removesuffix(':1')}@{first}" == rows[0]["spec"]["transform"]["image"]
    checked = dataset.tea(
        "verify-commit", "--unsigned", "HEAD", env={**here.env, "TEA_RUNNER_IMAGES__TAGS": "refuse"}
    )
    assert 0 == checked.code, checked

    second = here.push(name, "two\n")
    planned = dataset.tea("plan", env=here.env)
    moved = f"run(image-moved): copy in:a  {first[:19]} → {second[:19]}"
    assert moved in planned.lines, planned
    once = dataset.tea("plan", env={**here.env, "TEA_RUNNER_IMAGES__TAGS": "once"})
    assert "Nothing to do: 1 datum known." in once.lines, once
    refused = dataset.tea("lint", env={**here.env, "TEA_RUNNER_IMAGES__TAGS": "refuse"})
    assert (1, True) == (refused.code, "has no digest" in refused.out), refused

    pinned = dataset.tea("pin", env=here.env)
    assert f"copy/spec.json: {here.host}/{name}@{second}" in pinned.lines, pinned
    assert json.loads(_spec(f"{here.host}/{name}@{second}")) == json.loads(
        (dataset.path / "copy/spec.json").read_text()
    )
    assert ["Every image has its digest."] == dataset.tea("pin", env=here.env).lines
    dataset.do("git", "commit", "-qam", "pin")
    done = dataset.tea("run", "-y", env=here.env)
    assert (0, "two\na\n") == (done.code, (dataset.path / "copy/x").read_text()), done


def test_a_name_of_the_operator_is_an_image(here: Engine, tmp_path: Path) -> None:
    """``image: opencv`` runs where the operator says what it is; elsewhere the name is refused."""
    name = f"{here.engine.name}-{uuid.uuid4().hex}:1"
    here.push(name, "tool\n")
    dataset = Dataset(tmp_path / "data", {"raw/a": "a\n", "copy/spec.json": _spec("opencv")})
    lint = dataset.tea("lint", env=here.env)
    assert "images of registry docker.io are not allowed here" in lint.out, lint
    named = {**here.env, "TEA_RUNNER_IMAGES__NAMES": f"opencv={here.host}/{name}"}
    done = dataset.tea("run", "-y", env=named)
    assert (0, "tool\na\n") == (done.code, (dataset.path / "copy/x").read_text()), done


def test_an_image_that_was_built_here_runs(here: Engine, tmp_path: Path) -> None:
    """No registry has it: the engine's own image counts, by its id."""
    tag = f"made-here-{uuid.uuid4().hex}:1"
    here._client("tag", here.image, tag)
    document = json.loads(_spec(tag))
    document["transform"]["cmd"] = ["sh", "-c", 'cat "$in" >"$PFS/out/x"']
    dataset = Dataset(tmp_path / "data", {"raw/a": "a\n", "copy/spec.json": json.dumps(document)})
    env = {**here.env, "TEA_RUNNER_IMAGES__REGISTRIES": "*", "TEA_RUNNER_IMAGES__TIMEOUT": "1"}
    done = dataset.tea("run", "-y", env={**env, "HTTPS_PROXY": "http://127.0.0.1:1"})
    assert (0, "a\n") == (done.code, (dataset.path / "copy/x").read_text()), done
