"""Webhooks on disk: whole, private, and gone when removed."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tea_runner.core.errors import NotFound, OutsideError
from tea_runner.forge.registered_webhook_store import WebhookStore


def test_a_hook_is_kept_and_found_again(tmp_path: Path) -> None:
    """What was kept is what is found, also by another process's store."""
    store = WebhookStore(tmp_path / "hooks")
    hook = store.new("gitea", "lab/edges", repository_id=3)
    store.keep(hook)
    assert hook == WebhookStore(tmp_path / "hooks").get(hook.id)
    assert [hook] == list(store.all())


def test_a_hook_that_another_process_changed_is_read_anew(tmp_path: Path) -> None:
    """What is remembered is what the file said, and no longer than it says so."""
    here, there = WebhookStore(tmp_path / "hooks"), WebhookStore(tmp_path / "hooks")
    hook = here.new("gitea", "lab/edges")
    here.keep(hook)
    assert hook == there.get(hook.id)
    rotated = here.rotate(hook.id)
    assert rotated == there.get(hook.id)
    here.remove(hook.id)
    assert there.get(hook.id) is None


def test_only_the_owner_can_read_hooks(tmp_path: Path) -> None:
    """File 600 in a folder 700, from the first byte on."""
    store = WebhookStore(tmp_path / "hooks")
    store.keep(store.new("gitea", "lab/edges"))
    (file,) = store.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_ids_and_secrets_are_fresh_and_long(tmp_path: Path) -> None:
    """Nobody can guess either."""
    store = WebhookStore(tmp_path)
    made = [store.new("gitea", "lab/edges") for _ in range(50)]
    assert len({hook.id for hook in made}) == 50
    assert len({hook.secrets for hook in made}) == 50
    assert min(len(hook.id) for hook in made) == 24
    assert min(len(hook.secrets[0]) for hook in made) == 64


def test_a_removed_hook_is_gone(tmp_path: Path) -> None:
    """Removing twice is no error."""
    store = WebhookStore(tmp_path)
    hook = store.new("gitea", "lab/edges")
    store.keep(hook)
    store.remove(hook.id)
    store.remove(hook.id)
    assert store.get(hook.id) is None


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "a", "a" * 100, "x/y", "..", "a" * 20 + "\0"]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """What cannot be an id is not looked for."""
    assert WebhookStore(tmp_path).get(name) is None


def test_rotation_keeps_the_old_secret_beside_the_new(tmp_path: Path) -> None:
    """Deliveries that are on their way still fit."""
    store = WebhookStore(tmp_path)
    hook = store.new("gitea", "lab/edges")
    store.keep(hook)
    rotated = store.rotate(hook.id)
    assert rotated.secrets[1:] == hook.secrets
    assert rotated == store.get(hook.id)
    with pytest.raises(NotFound, match="tea-runner webhook list"):
        store.rotate("z" * 24)


def test_a_hook_without_a_secret_is_not_kept(tmp_path: Path) -> None:
    """It would accept everything."""
    store = WebhookStore(tmp_path)
    with pytest.raises(ValueError, match="without a secret"):
        store.keep(replace(store.new("gitea", "lab/edges"), secrets=("",)))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """The message says which file, and what to do."""
    (tmp_path / ("b" * 24 + ".json")).write_text("{")
    with pytest.raises(OutsideError, match=r"b{24}\.json: cannot be read.*add the hook again"):
        WebhookStore(tmp_path).get("b" * 24)
