"""``tea-runner up`` with the embedded forge: its processes see all settings of the user."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tea_runner.cli.embedded_forge_setup import embed_forge
from tea_runner.cli.local_stack import child_options
from tea_runner.cli.main import Context
from tests.cli.dataset import tea


def _settings_of_children(
    tmp_path: Path, config: Path | None = None, **variables: str
) -> dict[str, Any]:
    """Value and source by name, as a process that ``up`` starts reads them."""
    state = tmp_path / "state"
    env = {**os.environ, "TEA_RUNNER_STATE": str(state), **variables}
    context = Context(directory=tmp_path, config=config, flags={}, variables=env)
    context, _ = embed_forge(context)
    shown = tea(
        tmp_path,
        *child_options(context),
        *("config", "show", "--json"),
        env={"TEA_RUNNER_STATE": str(state), **variables},
    )
    assert 0 == shown.code, shown
    return {row["name"]: (row["value"], row["source"]) for row in shown.json}


@pytest.mark.parametrize("named", [False, True])
def test_the_users_settings_file_holds_beside_the_embedded_forge(
    tmp_path: Path, named: bool
) -> None:
    """A file in ~/.config or in TEA_RUNNER_CONFIG, which no option names, is not replaced."""
    file = Path(os.environ["HOME"]) / ".config" / "tea-runner" / "tea-runner.toml"
    if named:
        file = tmp_path / "mine.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        'trusted_branches = ["release"]\nrepositories = ["me/x"]\n'
        '[worker]\ncount = 1\n[status]\ncontext = "mine"\n'
    )
    found = _settings_of_children(tmp_path, **({"TEA_RUNNER_CONFIG": str(file)} if named else {}))

    assert ["release"] == found["trusted_branches"][0]
    assert ["me/x"] == found["repositories"][0]
    assert 1 == found["worker.count"][0]
    assert "mine" == found["status.context"][0]
    assert str(file) in found["status.context"][1]
    assert found["forge.url"][0].startswith("http://127.0.0.1:")


def test_relative_paths_start_at_the_folder_of_the_users_file(tmp_path: Path) -> None:
    """The file of ``--config`` is read where it is, not from a copy in the state folder."""
    file = tmp_path / "mine.toml"
    file.write_text('[bot]\nallowed_signers = "signers"\n')
    found = _settings_of_children(tmp_path, file)

    assert str(tmp_path / "signers") == found["bot.allowed_signers"][0]


def test_a_forge_table_without_url_and_storages_go_with_the_embedded_forge(tmp_path: Path) -> None:
    """The user's values of [forge] hold, and each [[storage]] stays beside the embedded store."""
    file = tmp_path / "mine.toml"
    file.write_text(
        '[forge]\ntimeout = 3\n\n[[storage]]\nname = "lab"\ntype = "rsync"\n'
        'options = {rsyncurl = "host:/x"}\nenv = {TOKEN = "token"}\n'
    )
    found = _settings_of_children(tmp_path, file)

    assert 3 == found["forge.timeout"][0]
    assert "tea-runner" == found["forge.user"][0]
    assert ["lab (rsync, )", "store (directory, )"] == found["storage"][0]
