"""Refs are read again only when they have moved, in a mirror that two processes share."""

from __future__ import annotations

import os
from pathlib import Path

from tea_runner.dataset.git_environment import GitEnvironment
from tea_runner.dataset.mirror import Mirror
from tea_runner.host import process


def forge(root: Path) -> Path:
    """A bare repository with one commit at ``main``."""
    bare = root / "data.git"
    env = {**os.environ}
    process.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], env=env)
    text = b"commit refs/heads/main\ncommitter a <a@b> 1 +0000\ndata 1\nx\n"
    process.run(["git", f"--git-dir={bare}", "fast-import", "--quiet"], env=env, stdin=text)
    return bare


def mirror(root: Path, bare: Path) -> Mirror:
    """A mirror of it, as every process opens one."""
    environment = GitEnvironment(variables={**os.environ}, home=root)
    return Mirror(root / "mirror.git", bare.as_uri(), environment)


def test_another_process_sees_what_one_has_moved(tmp_path: Path) -> None:
    """What one process fetches, pushes or updates, the other sees at once."""
    bare = forge(tmp_path)
    one, other = mirror(tmp_path, bare), mirror(tmp_path, bare)
    one.fetch()
    tip = one.tip("main")
    assert tip is not None

    assert tip == other.tip("main")
    assert one.push([("refs/tea/jobs/1", tip, None)])
    assert {"refs/tea/jobs/1": tip} == other.refs("refs/tea/")
    one.update([f"update refs/tea/jobs/10 {tip}", "delete refs/tea/jobs/1"])
    assert {} == other.refs("refs/tea/jobs/1")
    assert {"refs/tea/jobs/10": tip} == other.refs("refs/tea/jobs")


def test_git_is_not_asked_twice(tmp_path: Path) -> None:
    """While no ref moves, reading refs starts no process."""
    here = mirror(tmp_path, forge(tmp_path))
    here.fetch()
    first = here.refs("refs/")

    here.environment.variables["PATH"] = "/nowhere"  # type: ignore[index]

    assert first == here.refs("refs/")
    assert here.tip("main") is not None
