"""A key file and bytes in, an SSH signature out; a signature and a list of signers in, who signed it out.

Ed25519 only: the same bytes give the same signature each time, so that a results commit that is made
twice is still one commit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tea_runner.core.errors import CommandError, Refused, SettingsError
from tea_runner.host import process

#: What git signs commits as (ssh-keygen(1), ``-n``).
_NAMESPACE = "git"


class Signer:
    """Signs with one key.

    :raises SettingsError: when the file is no key of the right kind, or has a passphrase.
    """

    def __init__(self, key: Path, variables: Mapping[str, str]) -> None:
        self._key = key
        self._env = {"PATH": variables.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent"}
        done = process.run(["ssh-keygen", "-l", "-f", str(key)], env=self._env, check=False)
        if done.returncode or not done.stdout.strip().endswith(b"(ED25519)"):
            raise SettingsError(
                f"bot.signing_key = {key}: expected an Ed25519 key without a passphrase; make one "
                f"with: ssh-keygen -t ed25519 -N '' -f {key}"
            )

    def __call__(self, data: bytes) -> bytes:
        """The signature, in the armour that git keeps."""
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", _NAMESPACE, "-f", str(self._key)]
        try:
            # An agent or a question would hang: the environment has neither.
            return bytes(process.run(argv, env=self._env, stdin=data, why="signing").stdout)
        except CommandError as error:
            raise SettingsError(f"bot.signing_key = {self._key}: {error.message}") from error


def check_signature(
    data: bytes, signature: bytes, signers: Path, variables: Mapping[str, str]
) -> str:
    """Who signed, as the list of signers calls them (ssh-keygen(1), "ALLOWED SIGNERS").

    :raises Refused: when nobody on the list did, or something else was signed.
    """
    env = {"PATH": variables.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent"}
    with tempfile.NamedTemporaryFile(suffix=".sig") as file:
        file.write(signature)
        file.flush()
        common = ["-s", file.name, "-f", str(signers)]
        argv = ["ssh-keygen", "-q", "-Y", "find-principals", *common]
        found = process.run(argv, env=env, check=False)
        names = found.stdout.decode("utf-8", "replace").splitlines()
        if found.returncode or not names:
            raise Refused(f"it is signed by nobody on the list {signers}")
        who = names[0].split(",")[0]
        argv = ["ssh-keygen", "-q", "-Y", "verify", "-n", _NAMESPACE, "-I", who, *common]
        if process.run(argv, env=env, stdin=data, check=False).returncode:
            raise Refused(f"its signature is not for this commit, though it names a key of {who}")
    return who
