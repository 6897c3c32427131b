"""Content identities: equal for equal content, and none for keys without a digest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.datums.content_identity import (
    DIGEST_LENGTH,
    GIT,
    SMALL_BLOB,
    Content,
    backend_algorithm,
    blob_content,
    key_content,
    key_size,
    pointer_key,
)
from tea_runner.core.git.annex_paths import link_target
from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path

MD5 = "60b725f10c9c85c70d97880dfe8191b3"
LINK, PLAIN = 0o120000, 0o100644


def annex(*arguments: str, cwd: Path) -> str:
    """Run git-annex."""
    env = {**os.environ, "PATH": tool_path(os.environ)}
    return bytes(process.run(["git", "annex", *arguments], env=env, cwd=cwd).stdout).decode()


def test_every_cryptographic_backend_of_git_annex_is_known(tmp_path: Path) -> None:
    """For each backend with a hash, with and without extension, one file has one identity."""
    process.run(["git", "init", "-q", str(tmp_path)], env=dict(os.environ))
    annex("init", "-q", cwd=tmp_path)
    (tmp_path / "x.txt").write_bytes(b"a\n")
    said = next(row for row in annex("version", cwd=tmp_path).splitlines() if "backends:" in row)
    names = said.split(": ", 1)[1].split()
    backends = {n for n in names if n.startswith(("SHA", "MD5", "SKEIN", "BLAKE"))}
    plain = {name for name in backends if not name.endswith("E")}

    for backend in plain:
        keys = [
            annex("calckey", f"--backend={each}", "x.txt", cwd=tmp_path).strip()
            for each in (backend, backend + "E")
            if each in backends
        ]
        identities = {key_content(key) for key in keys}
        assert 1 == len(identities), keys
        assert all(i and (backend, 2) == (i.algorithm, i.size) for i in identities), keys


@pytest.mark.parametrize(
    "key",
    [
        "WORM-s2-m1289672605--x.txt",
        "URL--http&c%%example.org%x",
        f"MD5-s2--{MD5[:-1]}",
        f"MD5--{MD5}",
        f"MD5-s2--{MD5}0",
        f"MD5-s2--{MD5.upper()}",
        f"XMD5-s2--{MD5}",
        f"MD5E-s2--{MD5}.txt\nMD5-s2--{MD5}",
        "",
        "x",
    ],
)
def test_what_is_no_hash_of_content_has_no_identity(key: str) -> None:
    """Keys of other kinds, cut ones, and ones that hold a second line are refused."""
    assert key_content(key) is None


def test_size_and_extension_stand_apart_from_the_digest() -> None:
    """The extension is dropped; the size is kept, also where there is no hash."""
    assert Content("MD5", 2, MD5) == key_content(f"MD5E-s2--{MD5}.nii.gz")
    assert key_content(f"MD5E-s2--{MD5}.nii.gz") == key_content(f"MD5-s2--{MD5}")
    assert [2, 3, None] == [
        key_size(key) for key in (f"MD5-s2--{MD5}", "WORM-s3-m1--x", "URL--http&c%%x")
    ]
    assert ["MD5", "MD5", "SHA256", "SHA256"] == list(
        map(backend_algorithm, ["MD5", "MD5E", "WORM", "SHA256E"])
    )


@pytest.mark.parametrize("path", ["x", "a/b/c/x"])
def test_locked_and_unlocked_files_point_to_one_key(path: str) -> None:
    """A link at any depth and a pointer file, with or without more lines, name the same key."""
    key = f"MD5E-s2--{MD5}.txt"

    assert key == pointer_key(LINK, link_target(key, path).encode())
    assert key == pointer_key(PLAIN, f"/annex/objects/{key}\n".encode())
    assert key == pointer_key(PLAIN, f"/annex/objects/{key}\nmore\n".encode())


@pytest.mark.parametrize(
    ("mode", "blob"),
    [
        (LINK, b"../x"),
        (LINK, b"annex/objects"),
        (PLAIN, b"annex/objects/MD5-s2--x"),
        (PLAIN, b"/annex/objects/a/MD5-s2--x\n"),
        (PLAIN, b""),
        (PLAIN, b"/annex/objects/MD5-s2--x" + b"\n" * SMALL_BLOB),
    ],
)
def test_what_is_no_pointer_is_content(mode: int, blob: bytes) -> None:
    """Other links, other text, and files too large to be pointers."""
    assert pointer_key(mode, blob) is None


@given(st.binary(max_size=99), st.sampled_from(["MD5", "SHA256", "SHA1", "SHA512"]))
def test_small_files_in_git_compare_equal_to_annexed_ones(data: bytes, algorithm: str) -> None:
    """The identity of a blob is that of the annex key for the same bytes."""
    identity = blob_content("0" * 40, data, algorithm)
    key = f"{algorithm}-s{len(data)}--{identity.digest}"

    assert DIGEST_LENGTH[algorithm] == len(identity.digest)
    assert identity == key_content(key)


def test_large_files_in_git_are_known_by_their_blob() -> None:
    """From the bound on, and where a mirror does not hold the bytes, the same answer."""
    oid = "1" * 40

    assert Content(GIT, -1, oid) == blob_content(oid, None, "MD5")
    assert Content(GIT, -1, oid) == blob_content(oid, b"x" * SMALL_BLOB, "MD5")
    assert "MD5" == blob_content(oid, b"x" * (SMALL_BLOB - 1), "MD5").algorithm
