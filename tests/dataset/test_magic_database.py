"""Rules of ``datalad create -c text2git`` work on machines that have no database of libmagic."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tea_runner.host import process
from tea_runner.settings import load_settings
from tea_runner.wiring import Site

_RULE = "((mimeencoding=binary)and(largerthan=0))"
#: A root file system with nothing but programs: no ``/etc/magic``, no database of libmagic.
_BARE = (
    *("bwrap", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin"),
    *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
    *("--dev", "/dev", "--proc", "/proc", "--tmpfs", "/usr/share/misc", "--tmpfs", "/usr/lib/file"),
)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bwrap: apt install bubblewrap")
@pytest.mark.parametrize("where", ["a mirror", "a clone"])
def test_a_rule_by_encoding_needs_no_database_of_the_system(tmp_path: Path, where: str) -> None:
    """git-annex's wheel has a database, and every git-annex that tea-runner starts is told of it."""
    clone = tmp_path / "clone"
    process.run(["git", "init", "-q", str(clone)], env=os.environ)
    process.run(["git", "annex", "init", "-q"], env=os.environ, cwd=clone)
    settings = load_settings(file=None, env={"TEA_RUNNER_STATE": str(tmp_path / "state")}, flags={})
    site = Site(settings, dict(os.environ))
    variables: Mapping[str, str] = site.git.variables
    if where == "a clone":
        dataset = site.clone(clone)
        variables = dataset.repository.environment.variables
        dataset.close()
    wheel = Path(variables["PATH"].split(":")[0]).parent

    done = process.run(
        [
            *(*_BARE, "--bind", str(tmp_path), str(tmp_path), "--ro-bind", str(wheel), str(wheel)),
            *("git-annex", "matchexpression", "--largefiles", "--file=x", "--size=3"),
            *("--mimeencoding=binary", "--mimetype=application/octet-stream", "--", _RULE),
        ],
        env={**variables, "GIT_CONFIG_COUNT": "0"},
        cwd=clone,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr.decode())
