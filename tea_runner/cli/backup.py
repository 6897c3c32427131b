"""``tea-runner backup``: keys, webhooks, tokens and settings of a server, which are in no repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from tea_runner.cli.main import Context
from tea_runner.cli.options import json_option
from tea_runner.cli.start_checks import state_lock
from tea_runner.core.errors import UserError
from tea_runner.host.file_archive import (
    ArchivedFile,
    read_archive,
    restore_file,
    write_archive,
)
from tea_runner.wiring.settings_files import settings_files

#: Of the state folder, as patterns; everything else in it is made again from the forge.
_KEPT = (
    *("results_key", "results_key.*", "queue.key", "pages.key", "pages.token", "forge.token"),
    *("lab.json", "aws-access-key-id", "aws-secret-access-key", "forge-access.json"),
    *("orders.json", "hooks/*.json", "events/**/*"),
)
#: Folders of an archive: files of the state folder, and others by their absolute path.
_STATE, _OTHERS = "state", "files"
#: Name in an archive of the path of the state folder.
_PATH = "state-folder"


@click.group("backup")
def command() -> None:
    """Save keys, webhooks, tokens and settings, or restore them."""


@command.command("save")
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_obj
def save(context: Context, archive: Path) -> None:
    """Write them into ARCHIVE, a tar file that only its owner can read.

    The server may run meanwhile. Repositories, content and Redis are not in it.
    """
    files = dict(_files(context))
    if not files:
        raise UserError(
            f"{_state(context)}: nothing to save",
            hint="name the state folder of the server: -c state=DIR",
        )
    write_archive(archive, files, {_PATH: str(_state(context))})
    if context.as_json:
        click.echo(json.dumps({"archive": str(archive), "files": sorted(map(str, files.values()))}))
    elif not context.quiet:
        click.echo(f"{archive}: {len(files)} files; keep it as safe as the server")


@command.command("restore")
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--force", is_flag=True, help="Replace files that have another content.")
@json_option
@click.pass_obj
def restore(context: Context, archive: Path, force: bool) -> None:
    """Put the files of ARCHIVE back.

    All go to where they were; those of the state folder go into another one that -c state=DIR or its
    variable names. Nothing is written if one of them is there with another content, unless --force
    is given.
    """
    files = read_archive(archive)
    if _PATH not in files:
        raise UserError(f"{archive}: is no backup of tea-runner")
    # The settings cannot be read: the files that they name may be missing.
    named = context.flags.get("state") or context.variables.get("TEA_RUNNER_STATE")
    state = Path(str(named or files.pop(_PATH).content.decode("utf-8", "replace"))).expanduser()
    files.pop(_PATH, None)
    found = {_target(state, name): file for name, file in files.items()}
    with state_lock(state):
        different = sorted(str(path) for path, file in found.items() if _differs(path, file))
        if different and not force:
            raise UserError(
                f"{', '.join(different[:5])}{' …' if len(different) > 5 else ''}: there already, "
                "with another content",
                hint="--force replaces what is there",
            )
        for path, file in found.items():
            restore_file(path, file)
    if context.as_json:
        click.echo(json.dumps({"files": sorted(map(str, found)), "replaced": different}))
    elif not context.quiet:
        click.echo(f"{len(found)} files restored; next: tea-runner check")


def _state(context: Context) -> Path:
    return Path(context.settings.state).expanduser().resolve()


def _files(context: Context) -> Iterator[tuple[str, Path]]:
    """Names in the archive, and the files."""
    state = _state(context)
    for pattern in _KEPT:
        for path in sorted(state.glob(pattern)):
            if path.is_file() and not path.is_symlink():
                yield f"{_STATE}/{path.relative_to(state)}", path
    for path in settings_files(context.settings):
        place = path.expanduser().resolve()
        if state not in place.parents:
            yield f"{_OTHERS}{place}", place


def _target(state: Path, name: str) -> Path:
    """Where a file of an archive belongs.

    :raises UserError: when the name is none of an archive's.
    """
    folder, _, rest = name.partition("/")
    if not rest or folder not in (_STATE, _OTHERS):
        raise UserError(f"{name!r} belongs to no backup")
    return state / rest if folder == _STATE else Path("/") / rest


def _differs(path: Path, file: ArchivedFile) -> bool:
    return path.exists() and path.read_bytes() != file.content
