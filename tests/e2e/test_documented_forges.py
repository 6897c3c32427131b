"""Forges that cannot run here, after their documentation: results come back, and statuses say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.forge_sides import DOCUMENTED
from tests.documented_forges.served import DocumentedForge
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec

pytestmark = pytest.mark.long


@pytest.fixture(params=DOCUMENTED)
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DocumentedForge]:
    """Each kind in turn."""
    with DOCUMENTED[request.param][0](tmp_path / "forge") as made:
        yield made


@pytest.fixture
def lab(forge: DocumentedForge, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """A private repository, and a server that looks after it as its bot."""
    name = forge.add("ada", "edges", private=True)
    root = tmp_path / "lab"
    root.mkdir()
    token = root / "token"
    token.write_text(forge.tokens["bot"])
    kind = request.node.callspec.params["forge"]
    settings = {"kind": kind, "url": forge.url, "user": "bot", "token_file": str(token)}
    made = Lab(root, forge=settings, push_url=forge.url_to_push(name), name=name)
    yield made
    made.close()


def test_results_and_statuses_come_back(forge: DocumentedForge, lab: Lab) -> None:
    """The bot clones, computes and pushes one commit, with private refs on the way; then nothing changes."""
    lab.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
    pushed = lab.push()
    run = lab.settle()
    assert run is not None
    assert "settled" == run.state
    results = lab.pull()
    assert results == lab.tip()
    assert pushed == lab.git("rev-parse", f"{results}^").strip()
    assert "a\n" == (lab.dataset / "up/a.txt").read_text()
    states = lab.site().forge.commit_statuses(lab.name, pushed)
    assert {state for state, _ in states.values()} == {"success"}
    lab.settle()
    assert results == lab.tip()
