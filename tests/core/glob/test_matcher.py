"""Globs: each rule of the language with the paths that it matches."""

from __future__ import annotations

import contextlib
import time

import pytest

from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.glob.matcher import Glob, GlobError, clean, expand, quote, references

TREE = Listing(
    [
        "foo-1/nope2.txt",
        "foo-1/test2.txt",
        "foo-2/foo-2_1/anothertest.txt",
        "foo-2/foo-2_1/nope3.txt",
        "foo-2/foo-2_1/test3.txt",
        "nope1.txt",
        "test1.txt",
    ]
)


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("/", ["/"]),
        ("", ["/"]),
        (".", ["/"]),
        ("/*", ["/foo-1/", "/foo-2/", "/nope1.txt", "/test1.txt"]),
        ("*", ["/foo-1/", "/foo-2/", "/nope1.txt", "/test1.txt"]),
        ("/*/", ["/foo-1/", "/foo-2/", "/nope1.txt", "/test1.txt"]),
        ("/*/*", ["/foo-1/nope2.txt", "/foo-1/test2.txt", "/foo-2/foo-2_1/"]),
        (
            "/**",
            [
                "/foo-1/",
                "/foo-1/nope2.txt",
                "/foo-1/test2.txt",
                "/foo-2/",
                "/foo-2/foo-2_1/",
                "/foo-2/foo-2_1/anothertest.txt",
                "/foo-2/foo-2_1/nope3.txt",
                "/foo-2/foo-2_1/test3.txt",
                "/nope1.txt",
                "/test1.txt",
            ],
        ),
        (
            "/**test*.txt",
            [
                "/foo-1/test2.txt",
                "/foo-2/foo-2_1/anothertest.txt",
                "/foo-2/foo-2_1/test3.txt",
                "/test1.txt",
            ],
        ),
        ("!(foo)*", ["/nope1.txt", "/test1.txt"]),
        ("/!(foo*|nope*)", ["/test1.txt"]),
        ("/[!n]*", ["/foo-1/", "/foo-2/", "/test1.txt"]),
        ("!(**)", []),
        ("/foo-?", ["/foo-1/", "/foo-2/"]),
        ("/{foo-1,test1.txt}", ["/foo-1/", "/test1.txt"]),
        ("/foo-1/test2.txt", ["/foo-1/test2.txt"]),
    ],
)
def test_a_glob_selects_files_and_directories(glob: str, expected: list[str]) -> None:
    """Every file and every directory is a candidate; the root is matched by / only."""
    compiled = Glob(glob)
    assert expected == [
        "/" + path + ("/" if is_dir and path else "")
        for path, is_dir in TREE.candidates()
        if compiled.match("/" + path) is not None
    ]


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("/(*)", "/foo/", ("foo",)),
        ("/(*)", "/foo/bar", None),
        ("/*/bar-(*)", "/foo/bar-123/", ("123",)),
        ("/(*)/*/(??)*.txt", "/foo/bar-123/ABC.txt", ("foo", "AB")),
        ("/*/(bar-(123))/*", "/foo/bar-123/ABC.txt", ("bar-123", "123")),
        ("/@(a|b)c", "/bc", ("b",)),
        ("/@(a|b)c", "/cc", None),
        ("/*(ab)", "/abab", ("abab",)),
        ("/x*(ab)", "/x", ("",)),
        ("/+(ab)", "/abab", ("abab",)),
        ("/x+(ab)", "/x", None),
        ("/x?(ab)", "/x", ("",)),
        ("/x?(ab)", "/xab", ("ab",)),
        ("/x?(ab)", "/xabab", None),
        ("/!(ab)", "/abc", ("abc",)),
        ("/!(ab)", "/ab", None),
        ("/!(ab)c", "/abc", None),
        ("/!(ab)", "/a/b", None),
        ("/foo*(x)", "/fooxx", ("xx",)),
        ("/foo*(x)", "/fooyx", None),
        ("/foo**(x)", "/fooyx", ("",)),
        ("/((a)(b))(c)", "/abc", ("ab", "a", "b", "c")),
        ("/(*)_(*)", "/a_b_c", ("a_b", "c")),
        ("/(a|(b))", "/a", ("a", "")),
        ("/{a,b*}c", "/bxc", ()),
        ("/{a,{b,c}d}", "/cd", ()),
        ("/{a,b}", "/a,b", None),
        ("/a,b", "/a,b", ()),
        ("/a|b", "/a|b", ()),
        ("/a)b}c", "/a)b}c", ()),
        ("/[abc]", "/b", ()),
        ("/[a-c]x", "/bx", ()),
        ("/[a-c]x", "/dx", None),
        ("/[!a]", "/b", ()),
        ("/[^a]", "/a", None),
        ("/a[!b]c", "/a/c", ()),
        ("/[[:digit:]]", "/7", ()),
        ("/[[:digit:]]", "/x", None),
        ("/[[:^digit:]]", "/x", ()),
        ("/[^[:alpha:]]", "/x", None),
        ("/[[:alpha:][:digit:]_]", "/_", ()),
        ("/[[:digit:]]", "/]", ()),
        (r"/[\]\-a]", "/-", ()),
        (r"/\*", "/*", ()),
        (r"/\*", "/a", None),
        ("/a?c", "/a/c", None),
        ("/a?c", "/aüc", ()),
        ("/*", "/a\udcffb", ()),
        ("/**", "/a\nb/c", ()),
        ("/*.txt", "/a.txt\n", None),
        ("a//b/./c", "/a/b/c", ()),
        ("/", "/a", None),
        ("/**", "/", None),
    ],
)
def test_a_match_has_captures(glob: str, path: str, expected: tuple[str, ...] | None) -> None:
    """Captures are counted by opening parentheses, and $0 is the path without a trailing slash."""
    found = Glob(glob).match(path)
    whole = path.rstrip("/") or "/"
    assert (None if expected is None else (whole, *expected)) == found


@pytest.mark.parametrize(
    ("glob", "problem"),
    [
        ("/(a", "glob '/(a', character 2: '(' is not closed"),
        ("/{a", "glob '/{a', character 2: '{' is not closed"),
        ("/[a", "glob '/[a', character 2: '[' is not closed"),
        ("/[]", "glob '/[]', character 2: an empty class matches nothing"),
        ("/[z-a]", "glob '/[z-a]', character 2: the range z-a is empty"),
        ("/[[:letter:]]", "glob '/[[:letter:]]', character 3: unknown class [:letter:]"),
        ("/[a!]", "glob '/[a!]', character 4: '!' within a class"),
        ("/[a[b]", "glob '/[a[b]', character 4: write '\\[' for a '[' within a class"),
        ("/a\\", "glob '/a\\\\', character 3: a backslash at the end"),
        ("/^(a)", "glob '/^(a)', character 2: '^(' has no meaning"),
        ("../**", "glob '../**' must stay inside the dataset"),
        ("a/../../b", "glob 'a/../../b' must stay inside the dataset"),
        ("{a,b/c}/../d", "glob '{a,b/c}/../d': '..' cannot follow a group"),
        ("a/.git/../b", "glob 'a/.git/../b' must stay inside the dataset"),
        (".git/**", "glob '.git/**' must stay inside the dataset"),
        ("~/*", "glob '~/*' must stay inside the dataset"),
        ("a" * 513, "glob 'aaaaaaaaaaaaaaaaaaaa'… has 513 characters"),
        ("(" * 30 + ")" * 30, "groups are nested deeper than 20"),
    ],
)
def test_a_malformed_glob_is_refused(glob: str, problem: str) -> None:
    """The refusal names the character and what to write."""
    with pytest.raises(GlobError) as caught:
        Glob(glob)
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$1", "one"),
        ("${1}x", "onex"),
        ("$1x", "onex"),
        ("$0", "/p"),
        ("$$1", "$1"),
        ("$7", ""),
        ("$", "$"),
        ("$a", "$a"),
        ("${1", "${1"),
        ("a-$2-$1", "a-two-one"),
        ("$12", ""),
        ("$99999999999", ""),
    ],
)
def test_templates_name_captures(template: str, expected: str) -> None:
    """$n and ${n} are captures, $$ is a dollar sign, and what is missing is empty."""
    assert expected == expand(template, ("/p", "one", "two"))


def test_references_of_a_template() -> None:
    """The numbers of all captures that a template uses, without $$."""
    assert (1, 20) == references("$1-$$3-${20}")


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("", "/"),
        ("/", "/"),
        (".", "/"),
        ("foo*", "/foo*"),
        ("/foo/", "/foo"),
        ("a//b", "/a/b"),
        ("/a/b/../x.txt", "/a/x.txt"),
        ("a/./../*", "/*"),
        ("/*/../x", "/x"),
        ("a/..", "/"),
    ],
)
def test_cleaning(glob: str, expected: str) -> None:
    """A leading slash is added, a trailing one removed; ``..`` removes what precedes it."""
    assert expected == clean(glob)


@pytest.mark.parametrize(
    ("glob", "prefix", "depth"),
    [
        ("/", "/", 1),
        ("/*", "/", 1),
        ("/raw/sub-*/x.txt", "/raw/sub-", 3),
        ("/a/**", "/a/", None),
        ("/a[!b]c", "/a", 2),
        ("/{a/b/c,d}", "/", 3),
        ("/*(a/)b", "/", None),
        ("/!(a/b/c)", "/", 1),
        (r"/a\*b*", "/a*b", 1),
    ],
)
def test_pruning(glob: str, prefix: str, depth: int | None) -> None:
    """What every match begins with, and how deep matches lie, is known before matching."""
    compiled = Glob(glob)
    assert (prefix, depth) == (compiled.literal_prefix, compiled.max_depth)


def test_a_quoted_path_matches_itself() -> None:
    """Names that look like globs can be given literally."""
    path = r"/a*b?[c]{d,e}(f|g)!@+^\h"
    assert (path,) == Glob(quote(path)).match(path)
    assert Glob(quote(path)).match("/axb") is None


NAMES = [
    f"/sub-{number:05d}/{'a' * (1 + number % 40)}/scan_T{1 + number % 2}w.nii.gz"
    for number in range(100_000)
]


@pytest.mark.parametrize(
    "glob",
    [
        "/*/*/(*)_T1w.nii.gz",
        "a*a*a*a*a*a*a*a*b",
        "/*/a*a*a*a*a*a*a*b*",
        "/**a**a**a**a**a**b",
        "/**/*(*(a))b",
        "/**/+(+(+(a|aa)|a))b/**",
        "/**/!(*(a)b)*(*(a))x",
        "/**" + "{a,aa}" * 40 + "b",
        "/**/" + "?(a)" * 60 + "b",
        "/**/*(!(a)|!(b)|!(c))x",
        "/*/" + "!(b)" * 60 + "/x",
        "/**" + "[!b]" * 100 + "c",
    ],
)
def test_no_glob_takes_long(glob: str) -> None:
    """20,000 paths are done, or the glob is refused with a reason, within a bound."""
    compiled = Glob(glob)
    began = time.process_time()
    # A glob that is refused stops here, with its reason; any other error would fail the test.
    with contextlib.suppress(GlobError):
        for name in NAMES[:20_000]:
            compiled.match(name)
    assert time.process_time() - began < 6


def test_a_usual_glob_is_fast() -> None:
    """100,000 paths take a fraction of a second."""
    compiled = Glob("/*/*/(*)_T1w.nii.gz")
    began = time.process_time()
    found = sum(compiled.match(name) is not None for name in NAMES)
    assert 50_000 == found
    assert time.process_time() - began < 1


def test_a_match_that_takes_too_long_is_refused_with_a_reason() -> None:
    """The refusal names the glob and the path, and says what to change."""
    with pytest.raises(GlobError) as caught:
        Glob("/**/+(+(+(a|aa)|a))b/**").match("/x/" + "a" * 60)
    assert (
        f"glob '/**/+(+(+(a|aa)|a))b/**' takes too long to match '/x/{'a' * 60}'; use fewer stars "
        f"and alternatives, and no repeated groups inside repeated groups"
    ) == caught.value.message


def test_a_repeated_group_is_fast() -> None:
    """Globs with alternatives and repeated groups match 100,000 paths within a second or two."""
    compiled = Glob("/**/*.+(nii|json).gz")
    began = time.process_time()
    assert 100_000 == sum(compiled.match(name) is not None for name in NAMES)
    assert time.process_time() - began < 2


def test_the_last_round_of_a_repeated_group_is_captured() -> None:
    """An inner capture is that of the last round, which may be empty, as in Pachyderm's engine."""
    assert ("/ab", "ab", "") == Glob("/*(!(x))").match("/ab")


@pytest.mark.parametrize(
    ("glob", "reached", "other"),
    [
        ("/*", ["/sub", "/sub/deep"], []),
        ("/", ["/sub", "/a/b"], []),
        (
            "/sub-*/anat/*.nii",
            ["/sub-1", "/sub-1/anat", "/sub-1/anat/x.nii"],
            ["/ses", "/sub-1/func"],
        ),
        ("/*.tsv", ["/x.tsv"], ["/sub", "/sub/deep"]),
        ("/**.nii", ["/sub", "/a/b"], []),
        ("/a/**.nii", ["/a", "/a/b"], ["/b", "/ab"]),
        ("/a/b/**", ["/a", "/a/b", "/a/b/c"], ["/b", "/a/c"]),
        ("/{a,b}/(*)", ["/a", "/b", "/a/x", "/a/x/y"], ["/c"]),
        ("/!(a)/x", ["/b", "/a"], ["/b/y"]),
    ],
)
def test_directories_that_a_glob_reaches(glob: str, reached: list[str], other: list[str]) -> None:
    """It matches them, or one above, or may match something below."""
    made = Glob(glob)
    assert (reached, []) == (
        [path for path in reached + other if made.reaches(path)],
        [path for path in other if made.reaches(path)],
    )
