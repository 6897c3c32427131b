"""What a pipeline needs and does not get here is said before it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.dataset import Dataset


@pytest.mark.long
def test_lint_and_plan_say_what_the_machine_does_not_give(tmp_path: Path) -> None:
    """A network, a container engine and secrets, each with the setting; nothing where they are given."""
    document = {
        "pipeline": {"name": "copy"},
        "input": {"pfs": {"name": "in", "repo": "raw", "glob": "/*"}},
        "transform": {
            "cmd": ["true"],
            "image": f"example.org/tool@sha256:{'a' * 64}",
            "network": True,
            "secrets": [{"name": "token", "key": "x", "env_var": "TOKEN"}],
        },
    }
    files = {"raw/a": "1", "copy/spec.json": json.dumps(document)}
    dataset = Dataset(tmp_path / "data", files)
    sentences = [
        "the command asks for a network, and gets none here",
        "the command asks for an image, and no container engine is allowed here",
        "the command asks for secret token, which is not listed here",
    ]
    lint, plan = dataset.tea("lint"), dataset.tea("plan")
    assert 0 == lint.code, lint
    assert 0 == plan.code, plan
    for sentence in sentences:
        assert f"{sentence}; " in lint.out, lint
        assert sentence in plan.out, plan

    (tmp_path / "token").write_text("x")
    settings = tmp_path / "tea.toml"
    settings.write_text(
        'environments = ["host", "podman"]\n[sandbox]\nnetwork = true\n'
        f'[[secrets]]\nname = "token"\nfile = "{tmp_path}/token"\nrepositories = ["lab/*"]\n'
    )
    for verb in ("lint", "plan"):
        said = dataset.tea("--config", str(settings), verb)
        assert 0 == said.code, said
        assert "asks for" not in said.out, said
