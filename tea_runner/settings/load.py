"""Load settings from defaults, one file, environment variables and flags.

Precedence: defaults < file < ``TEA_RUNNER_…`` variables < flags. The source of each value is kept.
The file is the one of ``--config`` or ``TEA_RUNNER_CONFIG``, else
``~/.config/tea-runner/tea-runner.toml``, else ``/etc/tea-runner/tea-runner.toml``. No file is read
from the current directory, which may be an untrusted dataset.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from tea_runner.core.egress_allowlist import parse_open_address
from tea_runner.core.errors import SettingsError
from tea_runner.core.host_and_port import format_address
from tea_runner.core.repository_priority import parse_priorities
from tea_runner.core.running_limit import parse_limits
from tea_runner.settings.option import SecretValue
from tea_runner.settings.options import Options
from tea_runner.settings.read_value import ExpectedError, read_value

PREFIX = "TEA_RUNNER_"
CONFIG_VARIABLE = "TEA_RUNNER_CONFIG"
#: Variables that are no settings: of the command line.
OTHER_VARIABLES = (
    CONFIG_VARIABLE,
    "TEA_RUNNER_SERVER",
    "TEA_RUNNER_SERVER_TOKEN",
    "TEA_RUNNER_SERVER_TOKEN_FILE",
)
#: Source of values that a running server lends.
SERVER = "the server that runs in the state folder"
SYSTEM_FILE = Path("/etc/tea-runner/tea-runner.toml")
#: Settings whose value may be read from a file, named by a variable that ends in ``_FILE``.
FROM_FILE = ("redis.url",)
#: Settings that exclude each other: the later source wins; one source may set only one.
ONE_OF = {"forge.token": "forge.token_file", "forge.token_file": "forge.token"}


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    """All options, with the source of each value."""

    sources: Mapping[str, str] = field(default_factory=dict)
    #: The settings file that was read.
    file: Path | None = None

    def source(self, name: str) -> str:
        """Source of the value of *name* (such as ``forge.url``)."""
        return self.sources.get(name, "default")

    def get(self, name: str) -> object:
        """The value of *name* (such as ``forge.url``)."""
        value: object = self
        for part in name.split("."):
            value = getattr(value, part)
        return value

    @property
    def web_url(self) -> str:
        """URL of the receiver, without a slash at the end."""
        if self.web.url:
            return self.web.url.rstrip("/")
        return f"http://{format_address(self.web.host, self.web.port)}"


@dataclass(frozen=True)
class KnownOption:
    """One setting: name, type and default."""

    name: str
    kind: Any
    field: dataclasses.Field[Any]

    @property
    def variable(self) -> str:
        """Name of its environment variable."""
        return PREFIX + self.name.upper().replace(".", "__")


def known() -> Iterator[KnownOption]:
    """All settings; those in groups last."""
    groups = []
    hints = typing.get_type_hints(Options)
    for each in dataclasses.fields(Options):
        kind = hints[each.name]
        if dataclasses.is_dataclass(kind):
            groups.append((each.name, kind))
        else:
            yield KnownOption(each.name, kind, each)
    for group, kind in groups:
        inner = typing.get_type_hints(kind)
        for each in dataclasses.fields(kind):
            yield KnownOption(f"{group}.{each.name}", inner[each.name], each)


def load_settings(
    *,
    file: Path | None,
    env: Mapping[str, str],
    flags: Mapping[str, object],
    server: Mapping[str, object] = MappingProxyType({}),
) -> Settings:
    """Load the settings.

    :param file: settings file of the command line, if one was named.
    :param flags: values by name (``forge.url``); None counts as not given.
    :param server: values of the server that runs in the state folder; they override all
        but *flags*.
    :raises SettingsError: with the value, its source, and the expected form.
    """
    names = {each.name: each for each in known()}
    home = env.get("HOME", "")
    given: dict[str, tuple[object, str, Path | None]] = {}
    path, source = _file(file, env)
    if path is not None:
        for name, value in _from_file(path, names):
            if name == "forge.token":
                raise SettingsError(
                    f"forge.token (from {source}): secrets are not allowed in the settings file",
                    hint="write it to a file of its own and set forge.token_file",
                )
            given[name] = (value, source, path.parent)
    for name, value, origin in _from_variables(env, names):
        if name in ONE_OF and names[ONE_OF[name]].variable in env:
            raise SettingsError(
                f"{name}: both {origin} and {names[ONE_OF[name]].variable} are set",
                hint="unset one",
            )
        given.pop(ONE_OF.get(name, ""), None)
        given[name] = (value, origin, None)
    called = ((name, value, "the command line") for name, value in flags.items())
    lent = ((name, value, SERVER) for name, value in server.items())
    for name, value, origin in (*lent, *called):
        if value is None:
            continue
        if name not in names:
            raise SettingsError(f"{name} (from {origin}): {_unknown(name, names)}")
        given.pop(ONE_OF.get(name, ""), None)
        given[name] = (value, origin, None)
    values: dict[str, object] = {}
    for name, (value, origin, base) in given.items():
        try:
            values[name] = read_value(names[name].kind, value, names[name].field, home, base)
        except ExpectedError as expected:
            shown = "" if names[name].kind is SecretValue else f" = {_short(value)}"
            raise SettingsError(f"{name}{shown} (from {origin}): expected {expected}") from expected
    settings = _build(values, {name: origin for name, (_, origin, _) in given.items()}, home)
    settings = dataclasses.replace(settings, file=path)
    _check(settings)
    return settings


def read_secret(path: Path, name: str, source: str) -> SecretValue:
    """Read a secret from a file, without the line end.

    :raises SettingsError: when the file cannot be read or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SettingsError(f"{name} = {path} (from {source}): cannot be read: {why}") from error
    if not text:
        raise SettingsError(f"{name} = {path} (from {source}): the file is empty")
    return SecretValue(text)


def _file(named: Path | None, env: Mapping[str, str]) -> tuple[Path | None, str]:
    if named is not None:
        return named, str(named)
    if env.get(CONFIG_VARIABLE):
        path = Path(env[CONFIG_VARIABLE])
        return path, f"{path}, named by {CONFIG_VARIABLE}"
    folder = env.get("XDG_CONFIG_HOME") or (env["HOME"] + "/.config" if env.get("HOME") else "")
    own = [Path(folder) / "tea-runner" / "tea-runner.toml"] if folder else []
    for path in (*own, SYSTEM_FILE):
        if path.is_file():
            return path, str(path)
    return None, ""


def _from_file(path: Path, names: Mapping[str, KnownOption]) -> Iterator[tuple[str, object]]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    groups = {name.partition(".")[0] for name in names if "." in name}
    for key, value in table.items():
        if key in groups and isinstance(value, dict):
            for inner, each in value.items():
                name = f"{key}.{inner}"
                if name not in names:
                    raise SettingsError(f"{name} (from {path}): {_unknown(name, names)}")
                yield name, each
        elif key in groups:
            raise SettingsError(f"{key} (from {path}): expected a table, written [{key}]")
        elif key not in names:
            raise SettingsError(f"{key} (from {path}): {_unknown(key, {*names, *groups})}")
        else:
            yield key, value


def _from_variables(
    env: Mapping[str, str], names: Mapping[str, KnownOption]
) -> Iterator[tuple[str, object, str]]:
    by_variable = {each.variable: name for name, each in names.items()}
    twins = {names[name].variable + "_FILE": name for name in FROM_FILE}
    for variable in sorted(env):
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES:
            continue
        if variable in twins:
            name = twins[variable]
            if names[name].variable in env:
                raise SettingsError(
                    f"{name}: both {names[name].variable} and {variable} are set", hint="unset one"
                )
            path = Path(env[variable])
            yield name, read_secret(path, name, variable).reveal(), variable
        elif variable in by_variable:
            yield by_variable[variable], env[variable], variable
        else:
            near = difflib.get_close_matches(variable, [*by_variable, *OTHER_VARIABLES], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"{variable}: unknown setting{hint}")


def _unknown(name: str, names: typing.Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else "; tea-runner config show lists all"
    return f"unknown setting{hint}"


def _short(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 100 else text[:97] + "…"


def _build(values: dict[str, object], sources: dict[str, str], home: str) -> Settings:
    """Fill the groups, the dependent defaults, and the token from its file."""
    if "state" not in values:
        if not home:
            raise SettingsError(
                "state (default): HOME is not set, so there is no default folder",
                hint=f"set {PREFIX}STATE or state in the settings file",
            )
        values["state"] = Path(home) / ".local" / "state" / "tea-runner"
    if "scratch" not in values:
        values["scratch"] = typing.cast(Path, values["state"]) / "scratch"
    file = values.get("forge.token_file")
    if isinstance(file, Path) and "forge.token" not in values:
        values["forge.token"] = read_secret(file, "forge.token_file", sources["forge.token_file"])
        sources["forge.token"] = f"{file}, named by {sources['forge.token_file']}"
    hints = typing.get_type_hints(Options)
    arguments: dict[str, Any] = {}
    for each in dataclasses.fields(Options):
        kind = hints[each.name]
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            inner = {
                name.partition(".")[2]: value
                for name, value in values.items()
                if name.startswith(each.name + ".")
            }
            arguments[each.name] = kind(**inner)
        elif each.name in values:
            arguments[each.name] = values[each.name]
    return Settings(**arguments, sources=types.MappingProxyType(sources))


def _check(settings: Settings) -> None:
    """Checks across several settings."""
    forge = settings.forge
    if forge.kind != "folder":
        _address(settings, "forge.url", ("http", "https"), "http://forge.example:3000")
    elif not forge.url.startswith("/"):
        raise SettingsError(
            f"forge.url = {forge.url} (from {settings.source('forge.url')}): "
            "expected an absolute path, because forge.kind is folder"
        )
    if settings.web.url:
        _address(settings, "web.url", ("http", "https"), "https://tea.example.org")
    if settings.pages.oauth_authorize_url:
        example = "https://forge.example.org/login/oauth/authorize"
        _address(settings, "pages.oauth_authorize_url", ("http", "https"), example)
    if settings.pages.oauth_client_id and forge.kind not in ("gitea", "folder"):
        raise SettingsError(
            "pages.oauth_client_id is set, and Gogs has no OAuth2"
            if forge.kind == "gogs"
            else "pages.oauth_client_id is set, which is for Gitea and Forgejo only",
            hint="remove it; people sign in with a token of their own",
        )
    if bool(settings.pages.oauth_client_id) != bool(settings.pages.oauth_secret_file):
        raise SettingsError(
            "pages.oauth_client_id and pages.oauth_secret_file belong together, and one is not set",
            hint="both are shown when the OAuth2 application is made on the forge",
        )
    if settings.redis.url:
        _address(settings, "redis.url", ("redis", "rediss", "unix"), "redis://127.0.0.1:6379/0")
    try:
        parse_priorities(settings.worker.priorities)
    except ValueError as error:
        raise SettingsError(
            f"worker.priorities (from {settings.source('worker.priorities')}): {error} is no pattern and "
            "number from 1 to 100, such as lab/urgent=4"
        ) from error
    try:
        parse_limits(settings.worker.limits)
    except ValueError as error:
        raise SettingsError(
            f"worker.limits (from {settings.source('worker.limits')}): {error} is no pattern and number from "
            "1 to 9999, such as lab/big=4 for a repository or lab=10 for an owner"
        ) from error
    for text in settings.sandbox.allowed_addresses:
        try:
            parse_open_address(text)
        except ValueError as error:
            raise SettingsError(
                f"sandbox.allowed_addresses (from {settings.source('sandbox.allowed_addresses')}): "
                f"{text} is no IPv4 address or network, such as 10.1.2.3, 10.1.0.0/16 or 10.1.2.3:9000"
            ) from error
    seen: set[str] = set()
    for storage in settings.storage:
        if storage.name in seen:
            raise SettingsError(
                f"storage (from {settings.source('storage')}): {storage.name} is defined twice",
                hint="the name of each [[storage]] must be unique",
            )
        seen.add(storage.name)
    _check_triggers(settings)


def _check_triggers(settings: Settings) -> None:
    storages = {storage.name for storage in settings.storage}
    for each in settings.triggers:
        if each.trigger.storage and each.trigger.storage not in storages:
            raise SettingsError(
                f"triggers (from {settings.source('triggers')}): {each.name} names the storage "
                f"{each.trigger.storage}, which is no [[storage]]"
            )
    names = [each.name for each in settings.triggers]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(
                f"triggers (from {settings.source('triggers')}): {name} is defined twice",
                hint="the name of each [[triggers]] must be unique",
            )


def _address(settings: Settings, name: str, schemes: tuple[str, ...], example: str) -> None:
    value = str(settings.get(name))
    source = settings.source(name)
    try:
        parts = urlsplit(value)
        port_is_number = parts.port is None or parts.port >= 0
    except ValueError:
        parts, port_is_number = urlsplit(""), False
    whole = bool(parts.path if parts.scheme == "unix" else parts.hostname)
    if parts.scheme not in schemes or not whole or not port_is_number:
        raise SettingsError(
            f"{name} = {masked_url(value)} (from {source}): expected a URL such as {example}"
        )
    if name != "redis.url" and (parts.username or parts.password):
        raise SettingsError(
            f"{name} (from {source}): user and password are not allowed in the URL",
            hint="set forge.user and forge.token_file",
        )
    if name != "redis.url" and (parts.query or parts.fragment):
        raise SettingsError(f"{name} = {value} (from {source}): expected a URL without ? and #")


def masked_url(url: str) -> str:
    """The URL with its password replaced by ***."""
    head, at, tail = url.rpartition("@")
    if not at or "://" not in head:
        return url
    scheme, _, user = head.rpartition("//")
    name = user.partition(":")[0]
    return f"{scheme}//{name}:***@{tail}" if ":" in user else f"{scheme}//***@{tail}"
