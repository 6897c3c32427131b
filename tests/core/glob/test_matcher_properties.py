"""Globs compared with a naive matcher, on random globs and paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from tea_runner.core.glob.matcher import Glob
from tea_runner.core.glob.syntax import parse_glob, quote
from tea_runner.core.glob.translate import translate

LETTERS = "ab/-"

# A glob as a tree: ("text", "ab"), ("*",), ("**",), ("?",), ("[", "ab", negated), ("{", [glob, …]),
# ("(", quantifier, [glob, …]); a glob is a list of these.
leaf = st.one_of(
    st.tuples(st.just("text"), st.text(LETTERS, min_size=1, max_size=2)),
    st.just(("*",)),
    st.just(("**",)),
    st.just(("?",)),
    st.tuples(st.just("["), st.sampled_from(["a", "ab", "b"]), st.booleans()),
)


def _deeper(part: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    inner = st.lists(st.lists(part, max_size=3), min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.just("{"), inner), st.tuples(st.just("("), st.sampled_from("@*+?!"), inner)
    )


part = st.recursive(leaf, _deeper, max_leaves=5)
globs = st.lists(part, min_size=1, max_size=4)
paths = st.text(LETTERS, max_size=7)


def render(glob: list[Any]) -> str:
    """The tree as the text of a glob."""
    text = ""
    for node in glob:
        if node[0] == "text":
            text += node[1]
        elif node[0] == "[":
            text += f"[{'!' if node[2] else ''}{node[1]}]"
        elif node[0] == "{":
            text += "{" + ",".join(map(render, node[1])) + "}"
        elif node[0] == "(":
            text += node[1] + "(" + "|".join(map(render, node[2])) + ")"
        elif node[0] in ("*", "?"):
            # So that it binds to no parenthesis and makes no double star with what follows.
            text += node[0] + "{}"
        else:
            text += "**{}"
    return text


def _events(glob: list[Any]) -> Iterator[str]:
    """In the order of the text: "bound" for text and stars, "closed" after each ``!( )``."""
    for node in glob:
        if node[0] in ("text", "*", "**"):
            yield "bound"
        elif node[0] in "{(":
            for alternative in node[-1]:
                yield from _events(alternative)
            if node[:2] == ("(", "!"):
                yield "closed"


def reaches_end(glob: list[Any]) -> bool:
    """Whether what ``!( )`` refuses has to reach the end: nothing that bounds it follows."""
    events = list(_events(glob))
    return "closed" in events and "bound" not in events[events.index("closed") :]


def ends(glob: list[Any], path: str, start: int, to_end: bool) -> set[int]:
    """All positions at which a match that begins at *start* can end."""
    found = {start}
    for node in glob:
        found = {end for begin in found for end in node_ends(node, path, begin, to_end)}
    return found


def node_ends(node: Any, path: str, at: int, to_end: bool) -> set[int]:
    """The same for one part."""
    following = path[at : at + 1]
    if node[0] == "text":
        return {at + len(node[1])} if path.startswith(node[1], at) else set()
    if node[0] == "**":
        return set(range(at, len(path) + 1))
    if node[0] == "*":
        return {end for end in range(at, len(path) + 1) if "/" not in path[at:end]}
    if node[0] == "?":
        return {at + 1} if following and following != "/" else set()
    if node[0] == "[":
        return {at + 1} if following and (following in node[1]) != node[2] else set()
    once = {end for choice in node[-1] for end in ends(choice, path, at, to_end)}
    if node[0] == "{" or node[1] == "@":
        return once
    if node[1] == "?":
        return once | {at}
    if node[1] == "!":
        if (len(path) in once) if to_end else once:
            return set()
        return node_ends(("*",), path, at, to_end)
    reached = {at} if node[1] == "*" else set(once)
    while True:
        more = {
            end
            for begin in reached
            for choice in node[-1]
            for end in ends(choice, path, begin, to_end)
        }
        if more <= reached:
            return reached
        reached |= more


@settings(max_examples=500, deadline=None)
@given(globs, paths)
def test_a_glob_selects_what_the_rules_select(glob: list[Any], path: str) -> None:
    """The regular expression matches exactly the paths that the naive matcher matches."""
    expected = len(path) in ends(glob, path, 0, reaches_end(glob))
    pattern = translate(parse_glob(render(glob)))
    assert expected == (regex.match(pattern, path, regex.DOTALL) is not None)


@settings(max_examples=300, deadline=None)
@given(globs, paths)
def test_pruning_loses_nothing(glob: list[Any], path: str) -> None:
    """Every match begins with the literal prefix and is not deeper than the greatest depth."""
    compiled = Glob("/" + render(glob))
    path = "/" + path.strip("/")
    if compiled.match(path) is not None:
        assert path.startswith(compiled.literal_prefix) or path == "/"
        assert compiled.max_depth is None or path.count("/") <= compiled.max_depth


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=20))
def test_quoted_names_match_themselves_only(name: str) -> None:
    """A name that is quoted means itself, whatever characters it holds."""
    if name in (".", "..", ".git", "~"):
        return
    compiled = Glob("/" + quote(name))
    assert ("/" + name,) == compiled.match("/" + name)
    assert compiled.match("/" + name + "x") is None


@settings(max_examples=300, deadline=None)
@given(glob=globs, path=paths)
def test_what_a_glob_cannot_reach_holds_no_match(glob: list[Any], path: str) -> None:
    """A directory that it does not reach is no match, and neither is anything above or below it."""
    made = Glob(render(glob))
    path = "/" + "/".join(filter(None, path.split("/")))
    parts = path.split("/")
    directories = ["/".join(parts[:count]) for count in range(2, len(parts) + 1)]

    if made.match(path) is not None:
        assert all(made.reaches(directory) for directory in directories)
