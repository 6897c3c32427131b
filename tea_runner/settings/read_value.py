"""Convert text and TOML values to the types of settings."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tea_runner.settings.option import SecretValue
from tea_runner.settings.storage_and_secret_options import SecretFile, StorageOptions
from tea_runner.settings.trigger_options import TriggerExpected, TriggerOptions, read_trigger
from tea_runner.settings.worker_offer_options import OfferExpected, OfferOptions, read_offers

_BYTES: Mapping[str, float] = {
    "": 1,
    "b": 1,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
}
_SECONDS: Mapping[str, float] = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Kinds of values that are tables, and how those are called.
_TABLES: Mapping[object, str] = {
    StorageOptions: "[[storage]] tables",
    SecretFile: "[[secrets]] tables",
    TriggerOptions: "[[triggers]] tables",
}


class ExpectedError(ValueError):
    """The value is not valid; the message is the expected form."""


def read_value(
    kind: Any, raw: object, option: dataclasses.Field[Any], home: str, base: Path | None
) -> object:
    """Convert a value to the type *kind*.

    :param raw: text of a variable, or a TOML value.
    :param base: base folder of relative paths; None leaves them unchanged.
    :raises ExpectedError: with the expected form.
    """
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        kind = next(each for each in typing.get_args(kind) if each is not type(None))
        origin = typing.get_origin(kind)
    if origin is tuple:
        return _list(typing.get_args(kind)[0], raw, option, home, base)
    if origin is typing.Literal:
        choices = typing.get_args(kind)
        if raw not in choices:
            raise ExpectedError("one of " + ", ".join(map(str, choices)))
        return raw
    if kind is StorageOptions:
        return _storage(raw, home, base)
    if kind is SecretFile:
        return _secret_file(raw, home, base)
    if kind is TriggerOptions:
        return _trigger(raw, home, base)
    if kind is OfferOptions:
        try:
            return read_offers(raw)
        except OfferExpected as error:
            raise ExpectedError(str(error)) from error
    if kind is bool:
        return _boolean(raw)
    if kind in (int, float):
        return _number(kind, raw, option)
    if not isinstance(raw, str | Path) or "\0" in str(raw) or "\n" in str(raw):
        raise ExpectedError("one line of text")
    if kind is Path:
        return _path(str(raw), home, base)
    if kind is SecretValue:
        return SecretValue(raw)
    return str(raw)


def _list(
    kind: Any, raw: object, option: dataclasses.Field[Any], home: str, base: Path | None
) -> tuple[object, ...]:
    if isinstance(raw, str):
        if kind in _TABLES or raw.lstrip().startswith("["):
            try:
                raw = json.loads(raw)
            except ValueError as error:
                raise ExpectedError("a list in JSON") from error
        else:
            raw = [each.strip() for each in raw.split(",") if each.strip()]
    if not isinstance(raw, list | tuple):
        raise ExpectedError(_TABLES.get(kind, "a list"))
    return tuple(read_value(kind, each, option, home, base) for each in raw)


def _boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    if isinstance(raw, str) and raw.lower() in words:
        return words[raw.lower()]
    raise ExpectedError("true or false")


def _number(kind: Any, raw: object, option: dataclasses.Field[Any]) -> int | float:
    unit = option.metadata.get("unit", "")
    expected = {
        "bytes": "a size such as 64 MiB",
        "seconds": "a time such as 45 s or 5 min",
    }.get(unit, "a whole number" if kind is int else "a number")
    units: Mapping[str, float] = {"bytes": _BYTES, "seconds": _SECONDS}.get(unit, {"": 1.0})
    if isinstance(raw, str):
        match = _AMOUNT.fullmatch(raw[:50])
        if match is None or match[2].lower() not in units:
            raise ExpectedError(expected)
        value = float(match[1]) * units[match[2].lower()]
    elif isinstance(raw, int | float) and not isinstance(raw, bool):
        value = float(raw)
    else:
        raise ExpectedError(expected)
    if kind is int and (value != int(value) if value < 2**60 else True):
        raise ExpectedError(expected)
    least = option.metadata.get("least")
    if least is not None and not least <= value < 2**60:
        raise ExpectedError(f"{expected}, at least {least:g}")
    return int(value) if kind is int else value


def _path(text: str, home: str, base: Path | None) -> Path:
    if not text:
        raise ExpectedError("a path")
    if text == "~" or text.startswith("~/"):
        if not home:
            raise ExpectedError("a path without ~, because HOME is not set")
        return Path(home + text[1:])
    return base / text if base is not None else Path(text)


def _storage(raw: object, home: str, base: Path | None) -> StorageOptions:
    if not isinstance(raw, dict):
        raise ExpectedError("a [[storage]] table with name, uuid and type")
    allowed = {"name", "uuid", "type", "options", "env", "repositories"}
    for key in raw:
        if key not in allowed:
            raise ExpectedError(f"no {key!r} in [[storage]]: only " + ", ".join(sorted(allowed)))
    name, uuid, kind = (raw.get(key, "") for key in ("name", "uuid", "type"))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ExpectedError("a name in [[storage]], of letters, digits, dot, dash and underscore")
    if not isinstance(uuid, str) or (uuid and not _UUID.fullmatch(uuid)):
        raise ExpectedError(
            f"a uuid in [[storage]] {name}, as `git annex info {name}` shows it in the dataset"
        )
    if not isinstance(kind, str) or not (_NAME.fullmatch(kind) or name == "origin"):
        raise ExpectedError(f"a type in [[storage]] {name}, such as directory, S3 or rsync")
    options = raw.get("options", {})
    if not isinstance(options, dict) or not all(isinstance(v, str) for v in options.values()):
        raise ExpectedError(f"a table of texts as options in [[storage]] {name}")
    env = raw.get("env", {})
    if not isinstance(env, dict) or not all(
        isinstance(v, str) and v and _VARIABLE.fullmatch(k) for k, v in env.items()
    ):
        raise ExpectedError(f"a table (variable = file) as env in [[storage]] {name}")
    patterns = raw.get("repositories", [])
    if not _are_patterns(patterns):
        raise ExpectedError(f"a list of owner/name patterns as repositories in [[storage]] {name}")
    return StorageOptions(
        name=name,
        uuid=uuid,
        type=kind,
        options=tuple(sorted(options.items())),
        env=tuple((key, _path(value, home, base)) for key, value in sorted(env.items())),
        repositories=tuple(patterns),
    )


def _are_patterns(raw: object) -> bool:
    return isinstance(raw, list) and all(isinstance(x, str) and x.count("/") == 1 for x in raw)


def _secret_file(raw: object, home: str, base: Path | None) -> SecretFile:
    fields = ("name", "file", "repositories")
    if not isinstance(raw, dict) or set(raw) != set(fields):
        raise ExpectedError("[[secrets]] tables with " + ", ".join(fields) + " and nothing else")
    name, file, patterns = (raw[key] for key in fields)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ExpectedError("a name in [[secrets]], of letters, digits, dot, dash and underscore")
    if not isinstance(file, str):
        raise ExpectedError(f"the path of a file in [[secrets]] {name}")
    if not _are_patterns(patterns):
        raise ExpectedError(f"a list of owner/name patterns as repositories in [[secrets]] {name}")
    return SecretFile(name=name, file=_path(file, home, base), repositories=tuple(patterns))


def _trigger(raw: object, home: str, base: Path | None) -> TriggerOptions:
    files: dict[str, object] = {}
    if isinstance(raw, dict):
        env = raw.get("env", {})
        if not isinstance(env, dict) or not all(
            isinstance(v, str) and v and _VARIABLE.fullmatch(k) for k, v in env.items()
        ):
            raise ExpectedError("a table (variable = file) as env in [[triggers]]")
        if env:
            files["env"] = tuple((k, _path(v, home, base)) for k, v in sorted(env.items()))
        for key in ("secret_file", "token_file"):
            if key in raw and not isinstance(raw[key], str):
                raise ExpectedError(f"the path of a file as {key} in [[triggers]]")
            if key in raw:
                files[key] = _path(raw[key], home, base)
    try:
        return read_trigger(raw, files)
    except TriggerExpected as error:
        raise ExpectedError(str(error)) from error
