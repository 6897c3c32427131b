"""Names of outputs: cases that the table of hostile outputs does not cover."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.errors import OutputRefused
from tea_runner.core.results.refused_outputs import (
    OutputNameRules,
    Refusal,
    WrittenFile,
    printable,
    raise_refusals,
    refusals,
)

_RULES = OutputNameRules()


def _said(*paths: str, home: str = "edges", rules: OutputNameRules = _RULES) -> list[str]:
    return [str(r) for r in refusals([WrittenFile(path=p) for p in paths], home=home, rules=rules)]


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a/b/c.tar.gz",
        ".hidden",
        "data.git",
        "git",
        "gitmodules",
        "x~1",
        "a~b",
        "my~1.txt",
        "HEAD",
        "refs/x",
        "conda/x",
        "console.log",
        "Å/ß",
        "日本.png",
        "a.b..c",
        "-x",
        "spec.toml",
        "head/objects",
        "prn_1",
        "x'y",
        "a&b",
        "(1)",
        "v1.0~rc1",
    ],
)
def test_ordinary_names_are_allowed(path: str) -> None:
    """Names that only resemble a reserved one are results as any other."""
    assert [] == _said(path)


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", ".", "a\0b"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    """Absolute, empty and climbing paths are refused whatever the operator allows."""
    assert _said(path, rules=OutputNameRules(allow_odd_names=True, allow_unportable=True)) != []


def test_a_file_that_is_also_a_directory_is_refused() -> None:
    """Two outputs cannot want one path as a file and as a directory."""
    assert ["output 'a' is both a file and a directory"] == _said("a", "a/b")


def test_a_path_that_two_claim_is_refused() -> None:
    """One path written twice is named once."""
    assert ["output 'a' was written twice"] == _said("a", "a")


def test_the_places_of_others_are_refused_with_all_below() -> None:
    """A pipeline's own code cannot be overwritten by its results."""
    rules = OutputNameRules(reserved=frozenset({"edges/code", "edges/edges.py"}))
    assert 2 == len(_said("code/x", "edges.py", "code2", rules=rules))


def test_odd_names_can_be_allowed() -> None:
    """An operator may allow control characters and bytes that are no UTF-8."""
    assert [] == _said("a\nb", "\udcff", rules=OutputNameRules(allow_odd_names=True))


def test_unportable_names_can_be_allowed() -> None:
    """An operator may allow what only Linux can check out; git's own names stay refused."""
    rules = OutputNameRules(allow_unportable=True)
    assert [] == _said("A", "a", "12:30", "con", "x.", rules=rules)
    assert 3 == len(_said(".GIT", ".git ", "a\\.git", rules=rules))


def test_collisions_are_said_once_for_the_topmost_directory() -> None:
    """Two directories that collide are one sentence, not one for each file in them."""
    paths = [f"A/{n}" for n in range(50)] + [f"a/{n}" for n in range(50)]
    (sentence,) = _said(*paths)
    assert sentence.startswith("output 'a' and 'A': names collide on some systems; rename one")


def test_the_first_ten_reasons_are_said() -> None:
    """A refusal names ten paths and how many more there are."""
    with pytest.raises(OutputRefused) as caught:
        raise_refusals([Refusal(f"x{n}", "is a FIFO") for n in range(12)])
    assert caught.value.message.endswith("… and 2 more")
    assert 11 == len(caught.value.message.splitlines())


def test_nothing_refused_is_no_error() -> None:
    """Without a reason against it an output is accepted."""
    raise_refusals([])


def test_paths_are_shown_without_what_moves_a_cursor() -> None:
    """Escape sequences, newlines and odd bytes of a name reach no terminal."""
    assert r"'a\x1b[2J\nb\xff'" == printable("a\x1b[2J\nb\udcff")


_NAME = st.text(
    st.characters(codec="utf-8") | st.sampled_from("./~:\\\udcff\n .gitGIT\u200c\u0301"),
    max_size=12,
)


@given(st.lists(st.lists(_NAME, max_size=5).map("/".join), max_size=8))
def test_any_names_are_answered(paths: list[str]) -> None:
    """No list of names is too strange for an answer, and git's directory is never in it."""
    found = {refusal.path for refusal in refusals([WrittenFile(path=path) for path in paths])}
    for path in paths:
        if path not in found:
            assert not {".git", ".", "..", ""} & set(path.casefold().split("/"))


_TARGET = st.lists(st.sampled_from(["..", ".", "a", "b", "l", "m", ""]), min_size=1, max_size=5)


@given(st.dictionaries(st.sampled_from(["l", "m", "a/l", "a/b/m"]), _TARGET.map("/".join)))
def test_links_that_are_allowed_stay_inside(links: dict[str, str]) -> None:
    """Followed as a kernel follows them, allowed links end at something that was written."""
    files = ["a/x", "a/b/x"]
    outputs = [WrittenFile(path=path) for path in files]
    outputs += [WrittenFile(path=p, kind="symlink", target=t) for p, t in links.items()]
    found = {refusal.path for refusal in refusals(outputs)}
    if found:
        return
    real = {"", "a", "a/b", *files}
    for path, target in links.items():
        assert _follow(path, target, links) in real


def _follow(path: str, target: str, links: dict[str, str], hops: int = 0) -> str | None:
    """Where a link leads; None is out of the tree or nowhere."""
    if hops > 60 or target.startswith("/"):
        return None
    here = path.rpartition("/")[0]
    for part in target.split("/"):
        if part == "..":
            if not here:
                return None
            here = here.rpartition("/")[0]
        elif part not in ("", "."):
            here = f"{here}/{part}" if here else part
            if here in links:
                arrived = _follow(here, links[here], links, hops + 1)
                if arrived is None:
                    return None
                here = arrived
    return here
