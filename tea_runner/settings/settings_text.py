"""The commented settings file, the reference page, and the list of current settings."""

from __future__ import annotations

import json
import textwrap
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tea_runner.settings.load import FROM_FILE, KnownOption, Settings, known, masked_url
from tea_runner.settings.option import SecretValue
from tea_runner.settings.storage_and_secret_options import SecretFile, StorageOptions
from tea_runner.settings.trigger_options import TriggerOptions
from tea_runner.settings.worker_offer_options import OfferOptions

_HEAD = """\
# Settings of tea-runner. Each commented line shows the default.
# Environment variables such as TEA_RUNNER_FORGE__URL override this file, and flags override both.
# `tea-runner config show` lists all values with their source; `tea-runner check` tests them.
"""

_STORAGE = """\
# [[storage]]
# name = "store"
# uuid = "…"                                   # shown by: git annex info store
# type = "S3"
# options = {host = "minio.example.org", port = "9000"}
# repositories = ["lab/brains"]
# env = {AWS_ACCESS_KEY_ID = "/etc/tea-runner/id", AWS_SECRET_ACCESS_KEY = "/etc/tea-runner/key"}
"""

_SECRETS = """\
# [[secrets]]
# name = "atlas"
# file = "/etc/tea-runner/secrets/atlas"
# repositories = ["lab/brains"]
"""

_TRIGGERS = """\
# [[triggers]]
# name = "orders"                              # POST /hooks/in/orders
# kind = "webhook"
# repository = "lab/shop"
# folder = "incoming/orders"
# path = "{year}/{id}.json"
# id = "/order/id"
# secret_file = "/etc/tea-runner/triggers/orders"
"""

_PAGE = """\
# Settings

<!-- Generated from tea_runner/settings/options.py by settings_text.py; a test compares it. -->

One settings file overrides the defaults, environment variables override the file,
and flags (`-c`) override both.
The file is the one of `--config` or `TEA_RUNNER_CONFIG`,
else `~/.config/tea-runner/tea-runner.toml`, else `/etc/tea-runner/tea-runner.toml`.
No file is read from the current directory, which may be an untrusted dataset.
`tea-runner config init` writes a commented file;
`tea-runner config show` lists each value with its source.
An unknown name is an error.
Items of a list in a variable are separated by commas (`storage`, `secrets` and `triggers` are lists in JSON).
Sizes may be written `64 MiB`, times `45 s` or `5 min`.
Relative paths in the file are relative to the folder of the file.
Secrets are given as names of files.
"""


def settings_file(values: Mapping[str, object] = MappingProxyType({})) -> str:
    """A commented settings file in which every setting has its default.

    :param values: of settings that have another value, by name.
    """
    lines = [_HEAD]
    group = ""
    for each in known():
        if each.kind is SecretValue:
            continue
        prefix, dot, name = each.name.rpartition(".")
        if dot and prefix != group:
            group = prefix
            lines.append(f"[{group}]\n")
        words = each.field.metadata["help"]
        text = textwrap.fill(words, 96, initial_indent="# ", subsequent_indent="# ")
        shown = default(each)
        if each.name == "storage":
            lines.append(f"{text}\n{_STORAGE}")
        elif each.name == "secrets":
            lines.append(f"{text}\n{_SECRETS}")
        elif each.name == "triggers":
            lines.append(f"{text}\n{_TRIGGERS}")
        elif each.field.metadata["shown"]:
            lines.append(f"{text}\n# {name} = …      # default: {each.field.metadata['shown']}\n")
        else:
            lines.append(f"{text}\n# {name} = {shown or '…'}\n")
        if each.name in values:
            lines[-1] += f"{name} = {_toml(values[each.name])}\n"
    return "\n".join(lines)


def settings_reference() -> str:
    """The page docs/reference/settings.md."""
    lines = [_PAGE]
    group: str | None = None
    for each in known():
        prefix = each.name.rpartition(".")[0]
        if prefix != group:
            group = prefix
            lines.append(f"## {f'`[{group}]`' if group else 'Single values'}\n")
        shown = default(each)
        facts = [f"default `{shown}`" if shown else "no default", f"variable `{each.variable}`"]
        if each.name in FROM_FILE:
            facts.append(f"or a file with the value, named by `{each.variable}_FILE`")
        words = each.field.metadata["help"].replace("*", "\\*")
        lines.append(f"### `{each.name}`\n\n{words}\n\n{'; '.join(facts)}.\n")
    return "\n".join(lines)


def show_settings(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Name, value and source of each setting; secrets are masked."""
    for each in known():
        value = settings.get(each.name)
        yield each.name, _toml(value), settings.source(each.name)


def default(each: KnownOption) -> str:
    """The default as TOML, or as text where it depends on the machine."""
    shown: str = each.field.metadata.get("shown", "")
    value = each.field.default
    if shown:
        return json.dumps(shown)
    size = each.field.metadata.get("unit") == "bytes"
    if size and isinstance(value, int) and value and value % 2**20 == 0:
        return f'"{value >> 20} MiB"'
    return "" if value is None else _toml(value)


def _toml(value: object) -> str:
    if isinstance(value, SecretValue):
        return json.dumps(str(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(each) for each in typing.cast(tuple[object, ...], value)) + "]"
    if isinstance(value, SecretFile):
        return json.dumps(f"{value.name} ({', '.join(value.repositories)})")
    if isinstance(value, TriggerOptions):
        return json.dumps(f"{value.name} ({value.trigger.kind}, {value.trigger.repository})")
    if isinstance(value, StorageOptions):
        return json.dumps(f"{value.name} ({value.type}, {value.uuid})")
    if isinstance(value, OfferOptions):
        return str(value)
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if value is None:
        return '""'
    text = str(value) if isinstance(value, Path) else masked_url(str(value))
    return json.dumps(text, ensure_ascii=False)
