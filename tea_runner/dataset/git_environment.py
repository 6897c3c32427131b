"""What git may know of the machine: the environment and configuration of every git and git-annex call.

Nothing is inherited.  Settings stand in git's protected scopes (a global file of ours, the command
line), which a repository cannot override (git-config(1), "Protected configuration").
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

_CONFIG = """\
# Written by tea-runner at start; changes are lost.
[core]
\thooksPath = /dev/null
\tfsmonitor = false
\tprotectHFS = true
\tprotectNTFS = true
\tattributesFile = /dev/null
\tquotePath = false
\tlooseCompression = 1
[pack]
\tcompression = 1
\tthreads = 1
[safe]
\tbareRepository = explicit
\tdirectory = *
[protocol]
\tallow = never
[transfer]
\tfsckObjects = true
\tcredentialsInUrl = die
[fetch]
\trecurseSubmodules = false
\twriteCommitGraph = false
[fetch "fsck"]
\t# Blemishes of old tools, which harm nobody; what could harm is refused.
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
\tfollowRedirects = false
\tsslVerify = true
\tlowSpeedLimit = 1000
\tlowSpeedTime = 30
[credential]
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
\tallowed-url-schemes = http https
\tallowed-compute-programs =
# These two are there in every annex without being enabled, and go wherever a URL in the dataset's
# git-annex branch points; a [[storage]] of that name allows them.
[remote "web"]
\tannex-ignore = true
[remote "bittorrent"]
\tannex-ignore = true
"""


@dataclass(frozen=True, kw_only=True)
class GitEnvironment:
    """A complete environment for git, and where its files lie."""

    variables: Mapping[str, str]
    home: Path

    def with_(self, **more: str) -> dict[str, str]:
        """The variables with some added."""
        return {**self.variables, **more}


def make_environment(
    directory: Path,
    *,
    path: str,
    protocols: Sequence[str] = ("https",),
    url: str = "",
    user: str = "",
    token: str = "",
    name: str = "tea-runner",
    email: str = "tea-runner@localhost",
    addresses: Sequence[str] = (),
    strict_hashes: bool = False,
) -> GitEnvironment:
    """Write the configuration files below *directory* and return the environment that uses them.

    The token stands in two files that only their owner can read: what git says to that host alone,
    and where ``credential-store`` finds it for git-annex.  It is in no URL, argument or log.

    :param addresses: private addresses that git-annex may speak to, such as a store on the LAN.
    """
    home = directory / "git"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    templates = home / "templates"
    templates.mkdir(exist_ok=True)
    text = _CONFIG.format(name=name, email=email, templates=templates)
    for protocol in protocols:
        text += f'[protocol "{protocol}"]\n\tallow = always\n'
    if token and url:
        parts = urlsplit(url)
        store = home / "credentials"
        _write_private(store, f"{parts.scheme}://{_escape(user)}:{_escape(token)}@{parts.netloc}\n")
        text += f'[credential "{parts.scheme}://{parts.netloc}"]\n'
        text += f'\thelper = "store --file={store}"\n\tusername = "{user}"\n'
        # Said at once: each command would be refused first and then start two helpers.
        basic = b64encode(f"{user}:{token}".encode()).decode()
        header = f'\textraHeader = "Authorization: Basic {basic}"\n'
        said = home / "authorization"
        _write_private(said, f'[http "{parts.scheme}://{parts.netloc}/"]\n{header}')
        text += f'[include]\n\tpath = "{said}"\n'
    if addresses:
        text += f'[annex "security"]\n\tallowed-ip-addresses = {" ".join(addresses)}\n'
    if strict_hashes:
        text += "[annex]\n\tsecurehashesonly = true\n"
    config = home / "config"
    _write_private(config, text)
    return GitEnvironment(
        variables={
            "HOME": str(home),
            "PATH": path,
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
            # GIT_NO_LAZY_FETCH is not here: git 2.39 does not know it, and the mirror says with each
            # call whether its remote is a promisor (objects.py never, write_blob for one blob).
        },
        home=home,
    )


def _escape(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else f"%{ord(c):02X}" for c in text)


def _write_private(path: Path, text: str) -> None:
    # Processes and threads start at once with the same settings: each replaces the file as a whole.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)
