"""Settings: which place wins, who said what, and what is said when a value cannot be used."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tea_runner.core.errors import SettingsError
from tea_runner.settings import Settings, load_settings
from tea_runner.settings.load import known
from tea_runner.settings.settings_text import settings_file, settings_reference, show_settings

HOME = {"HOME": "/home/ada"}
PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"


def load(file: Path | None = None, env: dict[str, str] | None = None, **flags: object) -> Settings:
    """Settings of a user who has only a home."""
    return load_settings(file=file, env={**HOME, **(env or {})}, flags=flags)


def written(tmp_path: Path, text: str) -> Path:
    """A settings file with this text."""
    path = tmp_path / "tea-runner.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_hold_when_nothing_is_said() -> None:
    """Without file, variables and flags every value is its default, below the home."""
    settings = load()
    assert Path("/home/ada/.local/state/tea-runner") == settings.state
    assert Path("/home/ada/.local/state/tea-runner/scratch") == settings.scratch
    assert settings.sandbox.kind == "bwrap"
    assert settings.source("state") == "default"
    assert settings.web_url == "http://127.0.0.1:1706"


def test_the_later_place_is_the_stronger(tmp_path: Path) -> None:
    """File beats default, variable beats file, flag beats variable; each is remembered."""
    file = written(tmp_path, '[web]\nport = 1\nhost = "0.0.0.0"\nprocesses = 3\n')
    env = {"TEA_RUNNER_WEB__PORT": "2", "TEA_RUNNER_WEB__PROCESSES": "4"}
    settings = load_settings(file=file, env={**HOME, **env}, flags={"web.port": 3, "web.url": None})
    assert settings.web.port == 3
    assert settings.source("web.port") == "the command line"
    assert settings.web.processes == 4
    assert settings.source("web.processes") == "TEA_RUNNER_WEB__PROCESSES"
    assert settings.web.host == "0.0.0.0"
    assert settings.source("web.host") == str(file)
    assert settings.source("web.url") == "default"


def test_sizes_times_lists_and_truths_are_read_as_people_write_them() -> None:
    """Variables hold text; it is read by the type of the value."""
    settings = load(
        env={
            "TEA_RUNNER_WEB__MAX_BODY": "1.5 MiB",
            "TEA_RUNNER_RECONCILE__EVERY": "5 min",
            "TEA_RUNNER_REPOSITORIES": "lab/*, ada/edges",
            "TEA_RUNNER_SANDBOX__NETWORK": "yes",
            "TEA_RUNNER_ENVIRONMENTS": '["host","docker"]',
        }
    )
    assert settings.web.max_body == 3 << 19
    assert settings.reconcile.every == 300.0
    assert settings.repositories == ("lab/*", "ada/edges")
    assert settings.sandbox.network is True
    assert settings.environments == ("host", "docker")


def test_storage_is_a_list_of_tables(tmp_path: Path) -> None:
    """Each table says name, uuid, type, options and the files with its secrets."""
    uuid = "8c9cda0c-1111-4222-8333-444455556666"
    file = written(
        tmp_path,
        f'[[storage]]\nname="s"\nuuid="{uuid}"\ntype="S3"\noptions={{host="h"}}\nenv={{K="k"}}\n',
    )
    (storage,) = load(file).storage
    assert storage.name == "s"
    assert storage.uuid == uuid
    assert storage.options == (("host", "h"),)
    assert storage.env == (("K", tmp_path / "k"),)


def test_token_comes_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    """The token is what the file holds; repr, text and the list of settings hide it."""
    (tmp_path / "token").write_text("canary-1\n")
    file = written(tmp_path, '[forge]\ntoken_file = "token"\n')
    settings = load(file, env={"TEA_RUNNER_REDIS__URL": "redis://u:canary-2@h:6379/0"})
    assert settings.forge.token.reveal() == "canary-1"
    told = f"{settings.forge!r} {settings.forge.token} {list(show_settings(settings))}"
    assert "canary" not in told
    assert "***" in told


def test_a_stronger_token_file_replaces_a_weaker_token(tmp_path: Path) -> None:
    """A file named on the command line wins over a token in a variable."""
    (tmp_path / "token").write_text("new\n")
    settings = load_settings(
        file=None,
        env={**HOME, "TEA_RUNNER_FORGE__TOKEN": "old"},
        flags={"forge.token_file": tmp_path / "token"},
    )
    assert settings.forge.token.reveal() == "new"


REFUSED = [
    ("web = 1", {}, "web (from {file}): expected a table, written [web]"),
    ("[web]\nprot = 1", {}, "web.prot (from {file}): unknown setting"),
    ("[web]\nport = 'x'", {}, 'web.port = "x" (from {file}): expected a whole number'),
    ("[web]\nport = true", {}, "web.port = true (from {file}): expected a whole number"),
    ("[web]\nmax_body = '5 miles'", {}, "expected a size such as 64 MiB"),
    ("[worker]\npriorities = ['lab/a']", {}, "lab/a is no pattern and number from 1 to 100"),
    ("[worker]\npriorities = ['lab/a=0']", {}, "lab/a=0 is no pattern"),
    ("[worker]\npriorities = ['lab/a=101']", {}, "lab/a=101 is no pattern"),
    ("[worker]\nlimits = ['lab/a']", {}, "lab/a is no pattern and number from 1 to 9999"),
    ("[worker]\nlimits = ['lab=0']", {}, "lab=0 is no pattern"),
    ("[worker]\nlimits = ['/a=1']", {}, "/a=1 is no pattern"),
    ("[worker]\ncount = 0", {}, "expected a whole number, at least 1"),
    ("[forge]\ntoken = 'abc'", {}, "set forge.token_file"),
    ("[forge]\nkind = 'git'", {}, "expected one of gitea, gogs, github, gitlab, bitbucket, folder"),
    (
        "[forge]\nkind = 'gogs'\n[pages]\noauth_client_id = 'x'\noauth_secret_file = '/x'",
        {},
        "Gogs has no OAuth2",
    ),
    *(
        (
            f"[forge]\nkind = '{kind}'\n[pages]\noauth_client_id = 'x'\noauth_secret_file = '/x'",
            {},
            "which is for Gitea and Forgejo only",
        )
        for kind in ("github", "gitlab", "bitbucket")
    ),
    ("[forge]\nurl = 'ftp://x'", {}, "expected a URL such as http://forge.example:3000"),
    ("[forge]\nurl = 'http://a:b@x'", {}, "not allowed in the URL"),
    ("[forge]\nkind = 'folder'\nurl = 'srv'", {}, "expected an absolute path"),
    ("[forge]\ntoken_file = 'none'", {}, "cannot be read: No such file or directory"),
    ("x = = 1", {}, "{file}: is not TOML"),
    ("[[storage]]\nname='s'\nuuid='x'", {}, "expected a uuid in [[storage]] s"),
    ("[[storage]]\nname='s'", {}, "expected a type in [[storage]] s"),
    ("[[storage]]\nname='s'\ntype='S3'\n" * 2, {}, "s is defined twice"),
    ("[[storage]]\nnmae='s'", {}, "expected no 'nmae' in [[storage]]"),
    ("", {"TEA_RUNNER_FORGE_URL": "x"}, "did you mean TEA_RUNNER_FORGE__URL?"),
    ("", {"TEA_RUNNER_FORGE__TOKEN": "x", "TEA_RUNNER_FORGE__TOKEN_FILE": "y"}, "unset one"),
    ("", {"TEA_RUNNER_WEB__URL": "tea.example"}, "(from TEA_RUNNER_WEB__URL): expected a URL"),
    ("", {"HOME": ""}, "HOME is not set"),
    ("", {"TEA_RUNNER_BOT__NAME": "a\nb"}, "expected one line of text"),
]


@pytest.mark.parametrize(("text", "env", "said"), REFUSED)
def test_a_value_that_cannot_be_used_is_named_with_its_source(
    tmp_path: Path, text: str, env: dict[str, str], said: str
) -> None:
    """The message names the value, where it was said, and what was expected."""
    file = written(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        load(file, env)
    assert said.format(file=file) in refused.value.message


def test_a_settings_file_in_the_current_folder_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's dataset cannot steer whoever stands in it."""
    written(tmp_path, "[sandbox]\nkind = 'off'\n")
    monkeypatch.chdir(tmp_path)
    assert load().sandbox.kind == "bwrap"


def test_the_settings_file_of_the_user_is_found(tmp_path: Path) -> None:
    """~/.config/tea-runner/tea-runner.toml holds when no other file is named."""
    folder = tmp_path / ".config" / "tea-runner"
    folder.mkdir(parents=True)
    written(folder, "[web]\nport = 7\n")
    settings = load_settings(file=None, env={"HOME": str(tmp_path)}, flags={})
    assert settings.web.port == 7


def test_the_generated_file_changes_nothing(tmp_path: Path) -> None:
    """As it is, the generated file gives the defaults; uncommented, its examples are TOML."""
    text = settings_file()
    changed = load(written(tmp_path, text))
    assert changed.sources == {}
    assert {name.partition(".")[0] for name in tomllib.loads(text)} <= {
        each.name.partition(".")[0] for each in known()
    }
    bare = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if " = " in line and "…" not in line
    )
    assert "port = 1706" in bare


def test_the_page_of_settings_is_current() -> None:
    """docs/reference/settings.md is what the options say; write it again when this fails."""
    assert settings_reference() == PAGE.read_text(encoding="utf-8")


def test_what_workers_offer_is_a_table(tmp_path: Path) -> None:
    """In the file, or as JSON where it is a text; sizes as in the file's other settings."""
    file = written(
        tmp_path, '[worker]\noffers = {cpus = 16, memory = "64G", gpus = 1, labels = ["big"]}\n'
    )
    offers = load(file).worker.offers
    assert offers is not None
    assert (16.0, 64 << 30, 1, ("big",)) == (
        offers.cpus,
        offers.memory,
        offers.gpus,
        offers.labels,
    )
    assert (
        offers
        == load(
            env={
                "TEA_RUNNER_WORKER__OFFERS": (
                    '{"cpus": 16, "memory": "64 GiB", "gpus": 1, "labels": ["big"]}'
                )
            }
        ).worker.offers
    )
    for wrong in ('{"cpu": 1}', '{"cpus": 0}', '{"memory": "x"}', '{"labels": ["a b"]}', "big"):
        with pytest.raises(SettingsError, match=r"worker\.offers"):
            load(env={"TEA_RUNNER_WORKER__OFFERS": wrong})
