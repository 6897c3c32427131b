"""SSH signatures of commits, made and verified by ssh-keygen(1).

Only Ed25519 keys are used: their signatures are deterministic (RFC 8032), so that a results commit that is
made twice has the same id.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tea_runner.core.errors import CommandError, Refused, SettingsError
from tea_runner.host import process

#: git's namespace for signatures (ssh-keygen(1), ``-n``).
_NAMESPACE = "git"


class Signer:
    """Signs with one key.

    :param namespace: what the signatures are for (ssh-keygen(1), ``-n``).
    :param setting: the setting that names the key, for messages.
    :raises SettingsError: when the file is not an Ed25519 key, or has a passphrase.
    """

    def __init__(
        self,
        key: Path,
        variables: Mapping[str, str],
        namespace: str = _NAMESPACE,
        setting: str = "bot.signing_key",
    ) -> None:
        self._key = key
        self._namespace = namespace
        self._name = f"{setting} = {key}"
        self._env = {"PATH": variables.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent"}
        done = process.run(["ssh-keygen", "-l", "-f", str(key)], env=self._env, check=False)
        if done.returncode or not done.stdout.strip().endswith(b"(ED25519)"):
            raise SettingsError(
                f"{self._name}: expected an Ed25519 key without a passphrase; make one "
                f"with: ssh-keygen -t ed25519 -N '' -f {key}"
            )

    def __call__(self, data: bytes) -> bytes:
        """The signature, ASCII-armoured as in commits.

        :raises SettingsError: when the key cannot be used.
        """
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", self._namespace, "-f", str(self._key)]
        try:
            # The environment has no SSH_AUTH_SOCK and no terminal: neither agent nor prompt can block.
            return bytes(process.run(argv, env=self._env, stdin=data, why="signing").stdout)
        except CommandError as error:
            raise SettingsError(f"{self._name}: {error.message}") from error


def check_signature(
    data: bytes, signature: bytes, signers: Path, variables: Mapping[str, str]
) -> str:
    """The signer's principal in a file of allowed signers (ssh-keygen(1), "ALLOWED SIGNERS").

    :raises Refused: when no allowed signer signed exactly *data*.
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
            raise Refused(f"no allowed signer in {signers} has signed it")
        who = names[0].split(",")[0]
        argv = ["ssh-keygen", "-q", "-Y", "verify", "-n", _NAMESPACE, "-I", who, *common]
        if process.run(argv, env=env, stdin=data, check=False).returncode:
            raise Refused(f"its signature has a key of {who} but is not for this commit")
    return who
