"""Environment and configuration of git and git-annex.

No variables are inherited.  The configuration is in git's protected scopes (a global file of ours and the
command line), where a repository cannot override ``safe.*`` (git-config(1), "SCOPES").  Its other values
are not overridden either: mirrors have a configuration of ours.

Processes that share a state folder may have different settings, such as a server with a token and a verb in
another shell without one.  Each content of the configuration has a folder of its own.
"""

from __future__ import annotations

import os
import shlex
import weakref
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from tea_runner.dataset.git_config_folders import open_folder, starting

_CONFIG = """\
# Written by tea-runner at start; changes are lost.
[core]
\t# Both would run programs.
\thooksPath = /dev/null
\tfsmonitor = false
\t# Refuse names that are .git on other file systems (CVE-2014-9390).
\tprotectHFS = true
\tprotectNTFS = true
\tattributesFile = /dev/null
\tquotePath = false
\t# Speed: objects are small and short-lived.
\tlooseCompression = 1
[pack]
\tcompression = 1
\tthreads = 1
[safe]
\t# A bare repository inside a dataset is never used by accident.
\tbareRepository = explicit
\t# Folders of a forge may belong to another user; no hook or program of theirs is run (CVE-2022-24765).
\tdirectory = *
[protocol]
\t# Only the forge's own, below: ext:: and ssh:// start programs (CVE-2017-1000117).
\tallow = never
[transfer]
\tfsckObjects = true
\tcredentialsInUrl = die
[fetch]
\t# Submodules are opened by our own rules only (CVE-2018-17456).
\trecurseSubmodules = false
\twriteCommitGraph = false
[fetch "fsck"]
\t# Harmless errors that old tools have made.
\tbadDate = ignore
\tbadDateOverflow = ignore
\tbadTimezone = ignore
\tmissingEmail = ignore
\tmissingNameBeforeEmail = ignore
\tmissingSpaceBeforeDate = ignore
\tmissingSpaceBeforeEmail = ignore
\tzeroPaddedFilemode = ignore
[submodule]
\trecurse = false
[http]
\t# A redirect could lead to another host inside the network.
\tfollowRedirects = false
\tsslVerify = true
\tlowSpeedLimit = 1000
\tlowSpeedTime = 30
[credential]
\t# Forget helpers of the system; refuse carriage returns in URLs (CVE-2024-52006).
\thelper =
\tprotectProtocol = true
[gc]
\tauto = 0
[maintenance]
\tauto = false
[init]
\tdefaultBranch = main
\ttemplateDir = {templates}
[user]
\tuseConfigOnly = true
\tname = {name}
\temail = {email}
[annex]
\tsshcaching = false
\tprivate = true
\tverify = true
[annex "security"]
\t# No file:// and no private addresses (CVE-2018-10857).
\tallowed-url-schemes = http https
\tallowed-compute-programs =
# Every annex has these two, which fetch from any URL in the dataset's git-annex branch; a [[storage]] of
# the same name allows them.
[remote "web"]
\tannex-ignore = true
[remote "bittorrent"]
\tannex-ignore = true
"""


_NO_HOOKS = "\thooksPath = /dev/null\n"


@dataclass(frozen=True, kw_only=True)
class GitEnvironment:
    """All variables for git, and its home; the configuration may be removed when this value is gone."""

    variables: Mapping[str, str]
    home: Path

    def with_(self, **more: str) -> dict[str, str]:
        """The variables, with some added or replaced."""
        return {**self.variables, **more}


@dataclass(frozen=True, kw_only=True)
class ForgeCertificates:
    """Certificate authorities of the operator, for a forge inside an institution."""

    #: File with those of the forge, which git reads anew for each command.
    file: Path
    #: Text of these and of those of the system, for git-annex, which talks to storages too.
    all: str


def make_environment(
    directory: Path,
    *,
    path: str,
    magic: str = "",
    protocols: Sequence[str] = ("https",),
    url: str = "",
    user: str = "",
    token: str = "",
    name: str = "tea-runner",
    email: str = "tea-runner@localhost",
    addresses: Sequence[str] = (),
    strict_hashes: bool = False,
    gnupg_home: Path | None = None,
    certificates: ForgeCertificates | None = None,
    network: Mapping[str, str] | None = None,
) -> GitEnvironment:
    """Write the configuration below *directory* and return the environment that uses it.

    The token is in two files that only their owner can read: one with a header that git sends to the
    forge alone, and one that a credential helper prints for git-annex.  No URL, argument or log has it.

    :param magic: file with libmagic's database for git-annex; empty where the system has one.
    :param protocols: protocols that git may use.
    :param url: the forge, for *user* and *token*.
    :param name: committer, with *email*.
    :param addresses: private addresses that git-annex may contact, such as a storage on the LAN.
    :param strict_hashes: whether git-annex accepts keys with cryptographic hashes only.
    :param gnupg_home: keys of GnuPG for encrypted storages.
    :param certificates: those to trust for *url*, in place of those of the system.
    :param network: variables that lead to other hosts, such as ``https_proxy``.
    """
    home = directory / "git"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    templates = home / "templates"
    templates.mkdir(exist_ok=True)
    text = _CONFIG.format(name=name, email=email, templates=templates)
    for protocol in protocols:
        text += f'[protocol "{protocol}"]\n\tallow = always\n'
    if addresses:
        text += f'[annex "security"]\n\tallowed-ip-addresses = {" ".join(addresses)}\n'
    if strict_hashes:
        text += "[annex]\n\tsecurehashesonly = true\n"
    trusted = certificates.all if certificates is not None else ""
    if certificates is not None:
        text += (
            f"[http {_quote(_site(url) + '/')}]\n\tsslCAInfo = {_quote(str(certificates.file))}\n"
        )
    variables = dict(network or {})
    with starting(home):
        folder, descriptor = open_folder(home, "\0".join((text, url, user, token, trusted)))
        if trusted:
            # git-annex reads no configuration of one URL.
            bundle = folder / "certificates.pem"
            _write_private(bundle, trusted)
            variables["SSL_CERT_FILE"] = str(bundle)
        if token and url:
            text += _write_credentials(folder, url, user, token)
        if "file" in protocols:
            # The hooks of a folder of repositories run for results, if they are this user's own.
            own = folder / "config-with-hooks"
            _write_private(own, text.replace(_NO_HOOKS, ""))
            text += f'[remote "origin"]\n\treceivepack = {_quote(_receive_pack(own))}\n'
        config = folder / "config"
        _write_private(config, text)
    environment = GitEnvironment(
        variables={
            **variables,
            "HOME": str(home),
            "PATH": path,
            **({"MAGIC": magic} if magic else {}),
            **({"GNUPGHOME": str(gnupg_home)} if gnupg_home else {}),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(config),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_ALLOW_PROTOCOL": ":".join(protocols),
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_LITERAL_PATHSPECS": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_CEILING_DIRECTORIES": str(directory),
            # Not GIT_NO_LAZY_FETCH, which git 2.39 does not know: each call sets whether its remote is a
            # promisor instead (CatFile: never; GitRepository.write_blob: for one blob).
        },
        home=home,
    )
    weakref.finalize(environment, os.close, descriptor)
    return environment


def _write_credentials(folder: Path, url: str, user: str, token: str) -> str:
    """Write the token's two files, and return the configuration that uses them."""
    site = _site(url)
    store = folder / "credentials"
    _write_private(store, f"username={user}\npassword={token}\n")
    # Not git-credential-store(1), which removes the token from its file after one answer of 401.
    helper = f'!f() {{ test "$1" = get && cat {shlex.quote(str(store))}; }}; f'
    # Sent with the first request: otherwise each command is refused first (401) and starts two helpers.
    basic = b64encode(f"{user}:{token}".encode()).decode()
    authorization = folder / "authorization"
    header = f'\textraHeader = "Authorization: Basic {basic}"\n'
    _write_private(authorization, f'[http "{site}/"]\n{header}')
    return (
        f'[credential "{site}"]\n\thelper = {_quote(helper)}\n\tusername = {_quote(user)}\n'
        f"[include]\n\tpath = {_quote(str(authorization))}\n"
    )


def _receive_pack(config: Path) -> str:
    """A command for git-push(1) that gives git-receive-pack(1) another configuration.

    Hooks of other users would run with the rights of this process (CVE-2022-24765).
    """
    use = f"GIT_CONFIG_GLOBAL={shlex.quote(str(config))}; export GIT_CONFIG_GLOBAL"
    return f'f() {{ if [ -O "$1/hooks" ]; then {use}; fi; exec git-receive-pack "$1"; }}; f'


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _quote(text: str) -> str:
    """A value as git-config(1) reads it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write_private(path: Path, text: str) -> None:
    # Several processes may write the same file at the same time: each replaces it as a whole.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)
