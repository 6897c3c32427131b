"""The image of a lab: built, used from the host with DataLad, killed, and upgraded on the same volume."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.page import Reader, follow
from tests.gitea import free_port
from tests.image.engine import OPTIONS, TAG, Engine
from tests.minio import minio_program

pytestmark = pytest.mark.engine
LAB, NEWER, PROGRAMS = (
    f"localhost/tea-runner-{name}:test" for name in ("lab", "lab-newer", "programs")
)
_LARGEST = 2_000_000_000


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    """The image, with the programs of this machine: Gitea and MinIO come from an image made by hand."""
    gitea = os.environ.get("TEA_TEST_GITEA") or shutil.which("gitea")
    if gitea is None:
        pytest.skip("no gitea on PATH, and TEA_TEST_GITEA names none")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(gitea, f"{folder}/gitea")
        shutil.copy(minio_program(), f"{folder}/minio")
        Path(folder, "Dockerfile").write_text(
            "FROM scratch\nCOPY gitea /app/gitea/gitea\nCOPY minio /usr/bin/minio\n"
        )
        engine.build(PROGRAMS, file=f"{folder}/Dockerfile", folder=folder)
        arguments = {"TEA_RUNNER": TAG, "GITEA": PROGRAMS, "MINIO": PROGRAMS}
        engine.build(LAB, file="deploy/lab/Dockerfile", arguments=arguments)
        Path(folder, "Dockerfile").write_text(f"FROM {LAB}\nLABEL version=newer\n")
        engine.build(NEWER, file=f"{folder}/Dockerfile", folder=folder)
    return LAB


@dataclass(kw_only=True)
class LabContainer:
    """A container of the image; its state is on a volume, its ports are published."""

    engine: Engine
    gitea: int
    minio: int
    pages: int
    name: str = "tea-runner-lab-test"
    volume: str = "tea-runner-lab-test"

    def start(self, image: str) -> None:
        """Start a container on the volume, until it says where everything is."""
        self.engine.text(
            *("run", "-d", "--name", self.name, "--network=host", *OPTIONS, "--stop-timeout=45"),
            *("-v", f"{self.volume}:/var/lib/tea-runner", image),
            *("tea-runner", "-c", f"web.port={self.pages}", "lab", "-j", "1"),
            *("--gitea-port", str(self.gitea), "--minio-port", str(self.minio)),
        )
        end = time.monotonic() + 240
        while "Stop with Ctrl-C" not in (said := self.engine.logs(self.name)):
            assert time.monotonic() < end, said
            time.sleep(0.5)

    def words(self) -> dict[str, str]:
        """What stands for the placeholders of the page."""
        text = self.engine.text("exec", self.name, "cat", "/var/lib/tea-runner/lab.json")
        kept = json.loads(text)
        return {
            "THE-KEY": kept["s3_key"],
            "THE-SECRET": kept["s3_secret"],
            "THE-PASSWORD": kept["password"],
            "THE-UUID": kept["storage_uuid"],
            "127.0.0.1:3000": f"127.0.0.1:{self.gitea}",
            "port=9000": f"port={self.minio}",
        }

    def settled(self, repository: str) -> None:
        """Wait until a run of a repository is done."""
        end = time.monotonic() + 300
        while True:
            rows = json.loads(self.engine.text("exec", self.name, "tea-runner", "runs", "--json"))
            if any(row["repository"] == repository and row["state"] == "done" for row in rows):
                return
            assert time.monotonic() < end, (rows, self.engine.logs(self.name))
            time.sleep(1)

    def remove(self) -> None:
        """Kill it; the volume stays."""
        self.engine.accepts("rm", "-f", "-t", "0", self.name)


@pytest.fixture
def container(engine: Engine, image: str) -> Iterator[LabContainer]:
    """A running container of a lab."""
    made = LabContainer(engine=engine, gitea=free_port(), minio=free_port(), pages=free_port())
    made.remove()
    engine.accepts("volume", "rm", made.volume)
    made.start(image)
    yield made
    made.remove()
    engine.accepts("volume", "rm", made.volume)


def test_the_image_is_smaller_than_two_gigabytes(engine: Engine, image: str) -> None:
    """With Gitea, MinIO, Redis, git-annex and OpenCV."""
    assert int(engine.text("image", "inspect", "--format={{.Size}}", image)) < _LARGEST


def test_a_lab_is_used_from_the_host_killed_and_upgraded(
    container: LabContainer, tmp_path: Path
) -> None:
    """Each block of the page works from outside; a newer image goes on where the killed one was."""
    assert "1000" == container.engine.text("exec", container.name, "id", "-u")
    container.settled("lab/edges")
    reader = Reader(tmp_path / "home")
    follow(
        "docs/how-to/start-a-lab-server.md",
        reader,
        words=container.words(),
        between={"docker build -t tea-runner .": lambda _: ""},
    )
    assert "100000" in reader.say("cat count/first.dat.txt")

    before = container.words()
    reader.say(
        "for n in 1 2 3 4 5 6; do head -c 1000$n /dev/urandom >raw/more$n.dat; done; "
        "datalad -l error save -m more; datalad -l error push --to origin"
    )
    container.remove()
    container.start(NEWER)
    assert before == container.words()
    wanted = (
        "until datalad -l error update --how merge && test -e count/more6.dat.txt; do sleep 1; done"
    )
    reader.say(f"timeout 300 sh -c '{wanted}'; datalad -l error get .")
    assert "10006" == reader.say("cat count/more6.dat.txt").strip()
