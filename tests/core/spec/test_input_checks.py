"""Checks of inputs: Pachyderm's rules, and warnings about probable mistakes."""

from __future__ import annotations

import pytest

from tea_runner.core.spec.input_checks import default_name
from tea_runner.core.spec.parse import parse_specs


def said(text: str) -> list[tuple[str, str, str]]:
    """Kind, key and message of each problem of an input."""
    whole = f"pipeline: {{name: p}}\ntransform: {{cmd: [a]}}\ninput: {text}\n"
    return [(p.kind, p.key, p.message) for p in parse_specs("p/spec.yml", whole.encode()).problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{pfs: {glob: /*}}", ("error", "input.pfs.repo", "repo is missing")),
        ("{pfs: {repo: a}}", ("error", "input.pfs.glob", "glob is missing")),
        ("{pfs: {repo: a, glob: }}", ("error", "input.pfs.glob", "glob is empty")),
        (
            "{pfs: {repo: a, glob: ''}}",
            (
                "error",
                "input.pfs.glob",
                "glob is empty; write '/*' for one datum per entry, or '/' for all",
            ),
        ),
        (
            "{pfs: {repo: out, glob: /}}",
            (
                "error",
                "input.pfs.name",
                "the name out is reserved for the results",
            ),
        ),
        ("{pfs: {repo: out, name: in, glob: /}}", None),
        (
            "{pfs: {repo: a, name: 'b c', glob: /}}",
            ("error", "input.pfs.name", "expected a name of 1 to 63 of A-Z a-z 0-9 _ -, got 'b c'"),
        ),
        (
            "{pfs: {repo: a, name: GIT_DIR, glob: /}}",
            (
                "error",
                "input.pfs.name",
                "variable GIT_DIR is reserved for the system",
            ),
        ),
        (
            "{pfs: {repo: sub-01, glob: /}}",
            ("warning", "input.pfs.name", "a shell cannot read the variable $sub-01"),
        ),
        (
            "{pfs: {repo: a, glob: /, commit: abc}}",
            ("error", "input.pfs.commit", "commit is not available"),
        ),
        ("{pfs: {repo: a, glob: /, s3: true}}", ("error", "input.pfs.s3", "s3 is not available")),
        (
            "{pfs: {repo: a, glob: /, lazy: true}}",
            ("ignored", "input.pfs.lazy", "lazy has no effect"),
        ),
        (
            "{pfs: {repo: a, glob: /, trigger: {}}}",
            ("error", "input.pfs.trigger", "trigger has no condition"),
        ),
        (
            "{pfs: {repo: a, glob: /, trigger: {cron_spec: daily}}}",
            (
                "error",
                "input.pfs.trigger.cron_spec",
                "expected five fields such as '0 3 * * *', or '@every 1h', got 'daily'",
            ),
        ),
        (
            "{pfs: {repo: a, glob: /, track: true, trigger: {commits: 2}}}",
            ("error", "input.pfs.trigger", "trigger and track cannot be combined"),
        ),
        (
            "{pfs: {repo: a, glob: /, trigger: {branch: master, size: 1G, commits: 2, all: true}}}",
            None,
        ),
        (
            "{pfs: {repo: a, glob: /, branch: dev}}",
            ("ignored", "input.pfs.branch", "branch dev is ignored"),
        ),
        ("{pfs: {repo: a, glob: /, branch: main}}", None),
        (
            "{pfs: {repo: a, glob: '/*', join_on: $1}}",
            ("warning", "input.pfs.join_on", "$1 is always empty: the glob has no capture"),
        ),
        (
            "{pfs: {repo: a, glob: '/(*)', group_by: $1-$2}}",
            ("warning", "input.pfs.group_by", "$2 is always empty: the glob has 1 capture"),
        ),
        (
            "{pfs: {repo: ../b, glob: /}}",
            ("error", "input.pfs.repo", "'../b' is not a path in this dataset"),
        ),
        (
            "{pfs: {repo: a//b, glob: /}}",
            ("error", "input.pfs.repo", "'a//b' is not a path in this dataset"),
        ),
        (
            "{pfs: {repo: .git/x, glob: /}}",
            ("error", "input.pfs.repo", "'.git/x' is not a path in this dataset"),
        ),
        ("{pfs: {repo: ./a, glob: /}}", None),
        ("{pfs: {repo: ., glob: /}}", None),
        (
            "{pfs: {repo: a, glob: '/../x'}}",
            (
                "error",
                "input.pfs.glob",
                "glob '/../x' must stay inside the dataset; "
                "write it relative to the input's directory, such as '/*'",
            ),
        ),
        ("{}", ("error", "input", "expected exactly one kind of input, got none")),
        (
            "{pfs: {repo: a, glob: /}, cross: [{pfs: {repo: b, glob: /}}]}",
            ("error", "input", "expected exactly one kind of input, got pfs and cross"),
        ),
        ("{cross: []}", ("error", "input.cross", "cross has no inputs")),
        (
            "{cross: [{}]}",
            ("error", "input.cross[0]", "expected exactly one kind of input, got none"),
        ),
        ("{cross: {a: b}}", ("error", "input.cross", "expected a list, got a mapping")),
        ("{git: {url: x}}", ("error", "input.git", "git is not available")),
        (
            "{atom: {repo: a, glob: /}}",
            ("deprecation", "input.atom", "atom is an older name of pfs"),
        ),
        ("{cron: {spec: '@daily'}}", ("error", "input.cron.name", "name is missing")),
        ("{cron: {name: t, spec: '0 3 * * *', start: '2026-12-01T00:00:00Z'}}", None),
        (
            "{cron: {name: t, spec: often}}",
            (
                "error",
                "input.cron.spec",
                "expected five fields such as '0 3 * * *', or '@every 1h', got 'often'",
            ),
        ),
        (
            "{cron: {name: t, spec: '@daily', start: tomorrow}}",
            (
                "error",
                "input.cron.start",
                "expected a time by RFC 3339 such as 2026-12-01T00:00:00Z, got 'tomorrow'",
            ),
        ),
        (
            "{cron: {name: t, spec: '@daily', overwrite: true, catch_up: all}}",
            (
                "error",
                "input.cron.catch_up",
                "catch_up: all has no meaning with overwrite, which keeps the newest tick only",
            ),
        ),
        (
            "{cron: {name: out, spec: '@daily'}}",
            ("error", "input.cron.name", "the name out is reserved for the results"),
        ),
        ("{glob: /}", ("error", "input.glob", "unknown key 'glob'")),
        (
            "{group: [{pfs: {repo: a, glob: /}}]}",
            None,
        ),
        (
            "{join: [{pfs: {repo: a, glob: '/(*)', join_on: $1}}, {pfs: {repo: b, glob: /*}}]}",
            (
                "warning",
                "input.join[1].pfs.join_on",
                "no join_on: its files are joined with all other files without join_on",
            ),
        ),
    ],
)
def test_rules_of_inputs(text: str, expected: tuple[str, str, str] | None) -> None:
    """What is said of an input, first; nothing where it is in order."""
    found = said(text)
    if expected is None:
        assert [] == found
    else:
        assert expected in found


@pytest.mark.parametrize("kind", ["cross", "join", "group"])
def test_names_must_differ(kind: str) -> None:
    """Within cross, join and group, also when one of them is nested."""
    one = "{pfs: {repo: a, glob: '/(*)', join_on: $1, group_by: $1}}"
    keys = ["input.%s[1].pfs.name", "input.%s[1].union[0].pfs.name"]
    for other, key in zip([one, f"{{union: [{one}]}}"], keys, strict=True):
        found = said(f"{{{kind}: [{one}, {other}]}}")
        expected = f"two inputs of this {kind} have the name a, the other in line 3"
        assert [("error", key % kind, expected)] == found


def test_siblings_of_a_union_may_share_a_name() -> None:
    """Their datums are of the same kind."""
    assert [] == said("{union: [{pfs: {repo: a, glob: /x}}, {pfs: {repo: a, glob: /y}}]}")


def test_too_many_globs() -> None:
    """More than fifty are refused with their number."""
    one = "{pfs: {repo: a, glob: /}}"
    expected = ("error", "input", "51 globs, more than the limit of 50")
    assert [] == said(f"{{union: [{', '.join([one] * 50)}]}}")
    assert [expected] == said(f"{{union: [{', '.join([one] * 51)}]}}")


@pytest.mark.parametrize(
    ("repo", "name"),
    [
        ("raw/t1", "t1"),
        ("images/", "images"),
        (".", "dataset"),
        ("/", "dataset"),
        ("a b/c d", "c_d"),
    ],
)
def test_an_input_without_a_name_has_its_repos(repo: str, name: str) -> None:
    """The last part, with what a name cannot hold replaced."""
    assert name == default_name(repo)
