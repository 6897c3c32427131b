"""Hostile repositories and the answers, from repositories/repositories.json, with a real server."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tea_runner.core.errors import Refused
from tea_runner.dataset import cat_file
from tests.hostile.forge import HostileForge
from tests.hostile.unchanged import TOLD, redis_of

_ROWS = json.loads(
    (Path(__file__).parent / "repositories" / "repositories.json").read_text("utf-8")
)


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileForge]:
    """One server for all rows: what one leaves behind is what the next one meets."""
    made = HostileForge(tmp_path_factory.mktemp("hostile"))
    yield made
    made.close()


def _with_branch(row: dict[str, Any], uuid: str = "99999999-0000-4000-8000-000000000bad") -> None:
    """The ``git-annex`` branch of rows that say only what is special about theirs."""
    branch: dict[str, str] = {}
    if "remote" in row:
        branch["remote.log"] = (
            "@UUID@ name=store type=directory encryption=none timestamp=1s\n"
            f"{uuid} {row['remote']} timestamp=2s\n"
        )
        branch["uuid.log"] = f"{uuid} evil timestamp=1s\n"
    if "storage" in row:
        branch["remote.log"] = f"@UUID@ name=store {row['storage']} timestamp=9s\n"
    if "web" in row:
        from tea_runner.core.git.annex_paths import log_path

        (key,) = row["annexed"].values()
        branch[log_path(key)] = (
            "1s 1 00000000-0000-0000-0000-000000000001\n1s 1 00000000-0000-0000-0000-000000000002\n"
        )
        branch[log_path(key) + ".web"] = f"1s 1 {row['web']}\n"
    if branch:
        row["git-annex"] = branch


@pytest.mark.parametrize("row", _ROWS, ids=[f"{row['row']} {row['name']}" for row in _ROWS])
def test_repositories_get_the_answer_that_the_table_states(
    row: dict[str, Any], forge: HostileForge, caplog: pytest.LogCaptureFixture
) -> None:
    """It is processed or refused as stated; nothing of it ran, and nothing was contacted."""
    row = dict(row)
    _with_branch(row)
    name = f"r{_ROWS.index(next(each for each in _ROWS if each['name'] == row['name']))}"
    forge.make(name, row)
    before, asked = forge.tips(name), redis_of(forge, *TOLD)
    caplog.set_level(logging.INFO)

    met = forge.meet(name)

    said = met.said + "\n" + caplog.text
    assert (row["state"], []) == (met.state, [w for w in row.get("says", ()) if w not in said]), (
        said
    )
    assert "Traceback" not in said
    assert [] == list(forge.canaries.iterdir())
    assert [] == forge.sink.heard
    assert [] == list((forge.root / "scratch").glob("job-*"))
    if met.state in ("refused", "problem", "nothing", "blocked"):
        assert (before, asked) == (met.tips, redis_of(forge, *TOLD))
    if met.state not in ("settled", "nothing"):
        assert before == {ref: oid for ref, oid in met.tips.items() if "/tea/" not in ref}
    if "outputs" in row:
        assert row["outputs"] == {path: data.decode() for path, data in met.outputs.items()}
    if "count" in row:
        assert row["count"] == len(met.outputs)
    if "keys" in row:
        (link,) = met.outputs.values()
        assert row["keys"] in link.decode()


_BRANCHES = (
    "-x",
    "--upload-pack=id",
    "$(id)",
    "`id`",
    "a;b",
    "a|b",
    "a'b",
    "a<script>",
    "${IFS}",
    "@",
)


def test_branches_with_odd_names_are_branches(forge: HostileForge) -> None:
    """What ``git branch`` accepts (M13) is planned and published as one, and as nothing else.

    ``git update-ref`` also makes branches that begin with a dash; they are refused.
    """
    forge.make("branches", {})
    tip = forge.tips("branches")["refs/heads/main"]
    for branch in _BRANCHES:
        forge.git("branches", "update-ref", f"refs/heads/{branch}", tip)
    met = [forge.meet("branches", branch).state for branch in _BRANCHES]
    dashed = [branch.startswith("-") for branch in _BRANCHES]
    assert ["refused" if dash else "settled" for dash in dashed] == met
    tips = forge.tips("branches")
    settled = [branch for branch, dash in zip(_BRANCHES, dashed, strict=True) if not dash]
    assert len({tips[f"refs/heads/{branch}"] for branch in settled}) == 1
    assert tips["refs/heads/main"] == tip
    assert [] == list(forge.canaries.iterdir())


def test_private_addresses_are_contacted_where_the_operator_lists_them(tmp_path: Path) -> None:
    """With ``web`` allowed, a URL on loopback is not asked for; its address listed, it is."""
    key = "SHA256E-s3--ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    for listed in (False, True):
        forge = HostileForge(
            tmp_path / str(listed), settings='[[storage]]\nname = "web"\ntype = "web"\n'
        )
        try:
            port = forge.sink.port
            if listed:
                file = forge.root / "host" / "tea-runner.toml"
                more = f'[annex]\nallowed_addresses = ["[127.0.0.1]:{port}"]\n'
                file.write_text(file.read_text() + more)
                forge.again()
            row: dict[str, Any] = {"annexed": {"raw/b.dat": key}}
            row["web"] = f"http://127.0.0.1:{port}/x"
            _with_branch(row)
            forge.make("web", row)
            assert "running" == forge.meet("web").state
            assert listed == bool(forge.sink.heard)
        finally:
            forge.close()


@pytest.mark.long
def test_weak_hashes_are_refused_where_the_operator_says_so(
    forge: HostileForge, tmp_path: Path
) -> None:
    """With annex.strict_hashes, inputs under MD5 or SHA1 are refused by name; else they are content."""
    strict = HostileForge(tmp_path, settings="[annex]\nstrict_hashes = true")
    try:
        for backend, digest in (("MD5E", "9" * 32), ("SHA1", "9" * 40), ("MD5", "9" * 32)):
            row = {"annexed": {"raw/b.dat": f"{backend}-s3--{digest}"}}
            name = f"strict-{backend.lower()}"
            strict.make(name, row)
            met = strict.meet(name)
            assert "blocked" == met.state
            assert f"raw/b.dat has an annex key of backend {backend}, and only" in met.said
            forge.make(name, row)
            assert "running" == forge.meet(name).state
    finally:
        strict.close()


@pytest.mark.long
def test_a_repository_of_a_million_refs_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 78: said in one sentence, with the number; what is here is as it was."""
    with contextlib.closing(HostileForge(tmp_path)) as forge:
        forge.make("refs", {})
        tips = forge.tips("refs")
        tip = tips["refs/heads/main"]
        place = tmp_path / "forge/lab/refs.git"
        lines = sorted(
            [*(f"{oid} {ref}\n" for ref, oid in tips.items())]
            + [f"{tip} refs/heads/x/{number:07}\n" for number in range(1_000_000)],
            key=lambda line: line.split()[1],
        )
        (place / "packed-refs").write_text(
            "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines)
        )
        began = time.monotonic()
        assert forge.planner.plan("lab/refs", "main") is None
        assert "has 1000002 refs, more than the 50000 that forge.max_refs allows" in caplog.text
        assert time.monotonic() - began < 60
        assert not list((tmp_path / "host" / "mirrors").glob("lab%2Frefs*.git"))


def test_refs_that_come_later_are_counted_too(tmp_path: Path) -> None:
    """A repository that was small once is refused when it has grown past the bound, not before."""
    with contextlib.closing(HostileForge(tmp_path, more="max_refs = 5")) as forge:
        forge.make("refs", {})
        assert "settled" == forge.meet("refs").state
        tip = forge.tips("refs")["refs/heads/main"]
        for number in range(5):
            forge.git("refs", "update-ref", f"refs/heads/x{number}", tip)
        assert "refused" == forge.meet("refs").state


def test_a_history_larger_than_a_fetch_may_be_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Row 78: git is stopped at the bound, the disk keeps nothing of it, and the answer names the bound."""
    with contextlib.closing(HostileForge(tmp_path, more='max_fetch = "1 MiB"')) as forge:
        forge.make("history", {"message": random.Random(1).randbytes(1 << 20).hex()})
        assert forge.planner.plan("lab/history", "main") is None
        assert "more than the 1048576 bytes that forge.max_fetch allows" in caplog.text
        mirrors = forge.root / "host" / "mirrors"
        assert sum(path.stat().st_size for path in mirrors.rglob("*") if path.is_file()) < 1 << 20


def test_a_tree_larger_than_any_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 78: a tree that few bytes of a pack become is not read into memory."""
    with contextlib.closing(HostileForge(tmp_path)) as forge:
        files = {f"wide/{number:05}": "" for number in range(5_000)}
        forge.make("tree", {"files": files})
        monkeypatch.setattr(cat_file, "_MAX_TREE", 100_000)
        tree = forge.git("tree", "rev-parse", "main:wide").decode().strip()
        forge.planner.plan("lab/tree", "main")
        mirror = forge.site.repository("lab/tree").mirror
        reader = mirror.objects
        with pytest.raises(
            Refused, match=rf"folder of the repository \(tree {tree}\) takes 1[0-9]+"
        ):
            reader.tree(tree)
        assert reader.tree(forge.git("tree", "rev-parse", "main:raw").decode().strip())
        mirror.close()
