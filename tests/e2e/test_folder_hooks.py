"""Hooks of a folder of repositories run for results, as for pushes of people."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, spec


def _bare(lab: Lab) -> Path:
    return Path(lab.push_url.removeprefix("file://"))


def _hook(lab: Lab, name: str, text: str) -> Path:
    hook = _bare(lab) / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{text}\n")
    hook.chmod(0o755)
    return hook


def _prepare(lab: Lab) -> None:
    lab.create(files={**ATTRIBUTES, "raw/a.txt": "a\n", "up/spec.yml": spec("up", COPY)})
    lab.push()


def test_hooks_see_the_results(lab: Lab) -> None:
    """Before and after they are taken."""
    _prepare(lab)
    for name in ("pre-receive", "post-receive"):
        _hook(lab, name, f'cat >> "$PWD/seen-{name}"')
    run = lab.settle()

    assert run is not None
    assert "settled" == run.state
    for name in ("pre-receive", "post-receive"):
        lines = (_bare(lab) / f"seen-{name}").read_text().splitlines()
        assert lab.tip() in [line.split()[1] for line in lines if line.endswith("refs/heads/main")]


@pytest.mark.long
def test_what_a_hook_refuses_is_told(lab: Lab) -> None:
    """In its words, on the run."""
    _prepare(lab)
    _hook(
        lab, "pre-receive", 'if grep -q refs/heads/main; then echo "no results today"; exit 1; fi'
    )
    run = lab.settle()

    assert run is not None
    assert "no results today" in run.trouble


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
def test_hooks_of_other_users_do_not_run(lab: Lab) -> None:
    """They would have the rights of this process."""
    _prepare(lab)
    hook = _hook(lab, "pre-receive", "exit 1")
    os.chown(hook.parent, 12345, -1)
    run = lab.settle()

    assert run is not None
    assert "settled" == run.state
