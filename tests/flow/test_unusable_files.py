"""All files that cannot be inputs are told in one round, with commands that help."""

from __future__ import annotations

from tests.twins.dataset import MemoryDataset
from tests.twins.files import Gitlink, Symlink
from tests.twins.lab import MemoryLab
from tests.twins.plans import plan_of
from tests.twins.specs import gitmodules, pfs, spec
from tests.twins.subdatasets import MemorySubdatasets


def annexed(key: str) -> Symlink:
    """An annexed file with any key."""
    return Symlink(f"../.git/annex/objects/x/y/{key}/{key}")


URL = annexed("URL--http&c%%x.org%f")
NO_SIZE = annexed("MD5E--0123456789abcdef0123456789abcdef.dat")


def said(lab: MemoryLab, files: dict[str, object], **more: object) -> str:
    """What is said of a pipeline over these files."""
    lab.push({"copy/spec.yml": spec("copy", pfs("raw", "/*"), **more), **files})  # type: ignore[arg-type]
    plan = plan_of(lab)
    assert plan.state == "blocked"
    return plan.detail


def test_a_key_without_hash_or_size_is_cured_where_the_content_is_not_here(lab: MemoryLab) -> None:
    """``git annex migrate`` alone would do nothing, and end with 0."""
    assert said(lab, {"raw/a b": URL}) == (
        "input raw/a b has an annex key of backend URL, which is no hash of its content; "
        "give it one with: git annex get 'raw/a b' && git annex migrate --backend=SHA256E 'raw/a b' "
        "&& git commit -m 'hashes as keys'"
    )
    assert "input raw/c has an annex key of backend MD5E without a size" in said(
        lab, {"raw/a b": None, "raw/c": NO_SIZE}
    )


def test_all_files_are_counted_and_some_are_named(lab: MemoryLab) -> None:
    """Few files share a command; for many of one backend it names the backend."""
    few = said(lab, {"raw/a": URL, "raw/b": "fine", "raw/c": NO_SIZE, "raw/d/e": URL})
    assert few.startswith(
        "3 files cannot be inputs: raw/a, raw/d/e have annex keys of backend URL, which is no hash "
        "of its content; input raw/c has an annex key of backend MD5E without a size; give them"
    )
    assert "git annex get raw/a raw/c raw/d/e && git annex migrate" in few

    many = said(lab, {f"raw/{number}": URL for number in range(100)})
    assert "103 files cannot be inputs: raw/0, raw/1, raw/10, " in many
    assert "and 92 more have annex keys of backend URL" in many
    assert "git annex get --inbackend=URL . && git annex migrate --inbackend=URL --backend" in many


def test_code_and_subdatasets_are_meant_by_where_they_are(lab: MemoryLab) -> None:
    """git-annex works in the subdataset."""
    below = MemoryLab(MemoryDataset("lab/below"))
    below.push({"x": URL})
    lab.dataset.subdatasets = MemorySubdatasets(below.dataset)
    text = said(
        lab,
        {
            "raw/a": "fine",
            ".gitmodules": gitmodules(**{"raw/sub": "../below"}),
            "raw/sub": Gitlink(below.tip()),
        },
    )
    assert "input raw/sub/x has an annex key" in text
    assert "git -C raw/sub annex get x && git -C raw/sub annex migrate --backend=SHA256E x" in text

    both = said(lab, {"raw/sub": None, "code/a": URL, "code/b": URL})
    assert "2 files cannot be inputs: code/a, code/b have annex keys" in both
