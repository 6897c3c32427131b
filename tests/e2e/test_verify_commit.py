"""Results commits that are signed, the same each time, and checked without any server."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tea_runner.cli.main import Context
from tea_runner.cli.verify_commit import command
from tea_runner.core.errors import SettingsError, TeaError
from tea_runner.core.git.commit_signature import join_signature, split_signature
from tea_runner.dataset.ssh_signature import Signer
from tea_runner.host import process
from tests.e2e.pipelines import COPY, pfs, spec
from tests.hostile.forge import HostileForge


def make_key(folder: Path, name: str, kind: str = "ed25519") -> Path:
    """A new SSH key without a passphrase."""
    path = folder / name
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", str(path)]
    process.run(argv, env={"PATH": "/usr/bin:/bin"})
    return path


class Signed:
    """A forge whose server signs, a clone of what it made, and the list of signers."""

    def __init__(self, root: Path) -> None:
        self.key, self.other = make_key(root, "bot"), make_key(root, "mallory")
        self.signers = root / "signers"
        self.signers.write_text("bot@lab " + self.key.with_suffix(".pub").read_text())
        settings = f'[bot]\nsigning_key = "{self.key}"\n[trust]\nkey = "{root}/results_key"'
        self.forge = HostileForge(root / "all", settings=settings)
        self.clone = root / "clone"
        #: The key that verify-commit has; the server signs with the first one.
        self.results_key = "results_key"
        self.env = {**self.forge.env, "HOME": str(root)}

    def begin(self, files: dict[str, object] | None = None) -> str:
        """Push a dataset with three datums, let the server settle it, clone it: the results commit."""
        more = {"raw/b.txt": "b\n", "raw/c.txt": "c\n", "README": "x\n"}
        self.forge.make("mine", {"files": {**more, **(files or {})}})
        met = self.forge.meet("mine")
        assert "settled" == met.state, met.said
        url = str(self.forge.root / "forge/lab/mine.git")
        process.run(["git", "clone", "-q", url, str(self.clone)], env=self.env)
        return met.tips["refs/heads/main"]

    def git(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Run git in the clone."""
        return process.run(["git", *arguments], env=self.env, cwd=self.clone, stdin=stdin).stdout

    def check(self, commit: str, *options: str) -> tuple[int, str]:
        """Exit code and words of ``tea-runner verify-commit``."""
        root = self.clone.parent
        variables = {
            **self.env,
            "TEA_RUNNER_STATE": str(root / "state"),
            "TEA_RUNNER_TRUST__KEY": str(root / self.results_key),
        }
        context = Context(self.clone, None, {}, variables)
        arguments = [commit, *(options or ("--signers", str(self.signers)))]
        done = CliRunner().invoke(command, arguments, obj=context, standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return int(done.return_value), done.output

    def write(self, raw: bytes) -> str:
        """A commit object of these bytes."""
        argv = ["hash-object", "-t", "commit", "-w", "--literally", "--stdin"]
        return self.git(*argv, stdin=raw).decode().strip()


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Signed]:
    """A server that signs."""
    made = Signed(tmp_path)
    yield made
    made.forge.close()


def test_a_results_commit_is_signed_and_is_what_its_inputs_make(signed: Signed) -> None:
    """git itself accepts the signature; ours says what was checked; another key is not accepted."""
    commit = signed.begin()
    config = ["-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={signed.signers}"]
    signed.git(*config, "verify-commit", commit)

    code, said = signed.check(commit)
    ok = f"ok: {commit[:12]} is the result of pipeline up: 3 datums, 3 outputs, signed by bot@lab"
    assert 0 == code, said
    assert said.startswith(f"{ok}; its manifest is proven by tea-runner@"), said
    signed.results_key = "other"
    code, said = signed.check(commit)
    assert (1, "no trusted signature covers its manifest") == (
        code,
        said.split(": ")[1].split(";")[0],
    )
    signed.results_key = "results_key"
    signed.signers.write_text("m@lab " + signed.other.with_suffix(".pub").read_text())
    assert 1 == signed.check(commit)[0]
    assert 0 == signed.check(commit, "--unsigned")[0]


def test_signing_twice_is_signing_once(signed: Signed) -> None:
    """The same push settled by another server with the same key is the same commit."""
    first = signed.begin()
    signed.forge.git("mine", "update-ref", "refs/heads/main", f"{first}^1")
    assert first == signed.forge.meet("mine").tips["refs/heads/main"]


def _mutations(raw: bytes, others: list[str]) -> Iterator[tuple[str, bytes]]:
    """The commit, changed in one place each."""
    payload, signature = split_signature(raw)
    assert signature is not None
    lines = payload.split(b"\n")
    for line in lines:
        for other in others if line.startswith((b"tree ", b"parent ")) else ():
            yield (
                "another object",
                raw.replace(line, line.split(b" ")[0] + b" " + other.encode(), 1),
            )
        if line.startswith((b"author ", b"committer ")):
            yield "another date", raw.replace(line, line.replace(b" +0000", b" +0100"), 1)
            yield "another name", raw.replace(line, line.replace(b"tea-runner <", b"me <"), 1)
        if line.startswith(b"Tea-"):
            yield "no trailer", raw.replace(line + b"\n", b"", 1)
            yield "another trailer", raw.replace(line, line[:-1] + b"~", 1)
    yield "more text", raw + b"\n"
    yield "no signature", payload
    random.seed(1)
    for _ in range(60):
        place = random.randrange(len(payload))
        byte = bytes([payload[place] ^ (1 << random.randrange(7))])
        yield (
            f"byte {place}",
            join_signature(payload[:place] + byte + payload[place + 1 :], signature),
        )


@pytest.mark.long
def test_every_changed_commit_is_rejected(signed: Signed) -> None:
    """Trees, parents, names, dates, trailers, single bits: with the old signature, or with none."""
    commit = signed.begin()
    raw = signed.git("cat-file", "commit", commit)
    signed.git("rm", "-q", "up/a.txt")
    less = signed.git("write-tree").decode().strip()
    tree = signed.git("rev-parse", f"{commit}^1^{{tree}}").decode().strip()
    parent = signed.git("rev-parse", f"{commit}^1").decode().strip()
    accepted = []
    for what, changed in _mutations(raw, [less, tree, parent]):
        if changed != raw:
            try:
                code, _ = signed.check(signed.write(changed))
            except TeaError:
                continue
            if code == 0:
                accepted.append(what)
    assert [] == accepted


@pytest.mark.parametrize(
    "change",
    [
        "git rm -q up/a.txt",
        "echo y > README",
        "echo z > up/extra",
        "sed -i s/a.txt/b.txt/ up/manifest.tsv",
        "sed -i 's/\\t[0-9a-f]\\{4\\}/\\tffff/' up/manifest.tsv",
        "echo q >> raw/a.txt",
    ],
)
def test_a_forged_results_commit_is_rejected_though_its_signer_is_right(
    signed: Signed, change: str
) -> None:
    """Even the bot's own key does not make another tree the result of these inputs."""
    commit = signed.begin()
    raw = signed.git("cat-file", "commit", commit)
    process.run(["sh", "-ec", change], env=signed.env, cwd=signed.clone)
    signed.git("add", "-A")
    tree = signed.git("write-tree").decode().strip()
    payload, _ = split_signature(raw)
    forged = payload.replace(payload.split(b"\n")[0], b"tree " + tree.encode(), 1)
    signature = Signer(signed.key, signed.env)(forged)
    assert 1 == signed.check(signed.write(join_signature(forged, signature)))[0]


def test_signers_in_the_dataset_do_not_count(signed: Signed) -> None:
    """Who may push could add a key there; the list lies elsewhere, or nothing is said."""
    from tea_runner.core.errors import UsageError

    commit = signed.begin({"signers": "x"})
    with pytest.raises(UsageError, match="is in the dataset"):
        signed.check(commit, "--signers", str(signed.clone / "signers"))
    with pytest.raises(UsageError, match="no list of signers is set"):
        signed.check(commit, "--")


def test_keys_that_sign_differently_each_time_are_not_used(tmp_path: Path) -> None:
    """ECDSA signatures hold a random number: two servers would make two commits."""
    with pytest.raises(SettingsError, match="expected an Ed25519 key"):
        Signer(make_key(tmp_path, "k", "ecdsa"), {"PATH": "/usr/bin:/bin"})
    with pytest.raises(SettingsError, match="expected an Ed25519 key"):
        Signer(tmp_path / "nothing", {"PATH": "/usr/bin:/bin"})


def push_to_branch(signed: Signed, files: dict[str, str], branch: str = "feature") -> str:
    """Push files to a branch that is not trusted, and let the server settle it: the results' commit."""
    signed.git("fetch", "-q", "origin")
    signed.git("checkout", "-q", branch)
    for name, text in files.items():
        (signed.clone / name).parent.mkdir(parents=True, exist_ok=True)
        (signed.clone / name).write_text(text)
    signed.git("add", "-A")
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    signed.git(*who, "commit", "-q", "-m", "change")
    signed.git("push", "-q", "origin", branch)
    met = signed.forge.meet("mine", branch)
    assert "settled" == met.state, met.said
    signed.git("fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*")
    return met.tips[f"refs/heads/tea/results/{branch}"]


@pytest.mark.long
def test_results_beside_a_branch_are_verified(signed: Signed) -> None:
    """By their id, by their branch, and where they replaced earlier ones; not when somebody changed them."""
    signed.begin()
    signed.git("checkout", "-q", "-b", "feature")
    down = spec("down", COPY, pfs("up", "/"))
    first = push_to_branch(signed, {"raw/a.txt": "changed\n", "down/spec.yml": down})
    code, said = signed.check(first)
    assert 0 == code, said
    assert f"ok: {first[:12]} is the result of pipeline down" in said
    below = (
        signed.git("log", "--format=%H", "--grep=Tea-Pipeline: up", "-1", first).decode().strip()
    )
    code, said = signed.check(below)
    assert 0 == code, said
    assert f"ok: {below[:12]} is the result of pipeline up" in said

    second = push_to_branch(signed, {"raw/b.txt": "changed too\n"})
    for name in (second, "origin/tea/results/feature", first):
        code, said = signed.check(name)
        assert 0 == code, (name, said)

    signed.git("checkout", "-q", second)
    (signed.clone / "down/a.txt").write_text("forged\n")
    signed.git("add", "-A")
    tree = signed.git("write-tree").decode().strip()
    payload, _ = split_signature(signed.git("cat-file", "commit", second))
    forged = payload.replace(payload.split(b"\n")[0], b"tree " + tree.encode(), 1)
    signature = Signer(signed.key, signed.env)(forged)
    assert 1 == signed.check(signed.write(join_signature(forged, signature)))[0]
