"""Checks of transforms in pipeline files."""

from __future__ import annotations

import pytest

from tea_runner.core.spec.parse import parse_specs

MINIMAL = """\
pipeline: {name: edges}
input: {pfs: {repo: images, glob: "/*"}}
transform: {cmd: [python3, edges.py]}
"""


def said(text: str) -> list[tuple[str, str, str]]:
    """Kind, key and sentence of each problem."""
    return [(p.kind, p.key, p.sentence) for p in parse_specs("spec.yml", text.encode()).problems]


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ("{}", ("transform.cmd", "cmd is missing")),
        ("", ("transform", "transform is empty")),
        ("{image: 'ubuntu:24.04'}", None),
        ("{cmd: [], image: 'ubuntu:24.04'}", ("transform.cmd", "cmd is empty")),
        ("{cmd: []}", ("transform.cmd", "cmd is empty")),
        ("{cmd: ['']}", ("transform.cmd", "cmd is empty")),
        ("{cmd: sh run.sh}", ("transform.cmd", "expected a list, got 'sh run.sh'; write [\"sh\"")),
        ("{cmd: [a], stdin: x}", ("transform.stdin", "expected a list, got 'x'; write [\"x\"]")),
        ("{cmd: [a, ]}", None),
        ("{cmd: [sleep, 1]}", None),
        ("{cmd: [a, {b: c}]}", ("transform.cmd[1]", "expected text, got a mapping")),
        ("{cmd: [a], env: {PATH: x}}", ("transform.env.PATH", "variable PATH is reserved")),
        ("{cmd: [a], env: {LD_PRELOAD: x}}", ("transform.env.LD_PRELOAD", "variable LD_PRELOAD")),
        (
            "{cmd: [a], env: {GIT_DIR: x}}",
            ("transform.env.GIT_DIR", "variable GIT_DIR is reserved"),
        ),
        (
            "{cmd: [a], env: {'A=B': x}}",
            ("transform.env.A=B", "variable name 'A=B' is not valid"),
        ),
        ("{cmd: [a], env: [b]}", ("transform.env", "expected a mapping of names to text")),
        ("{cmd: [a], env: {A: }}", None),
        ("{cmd: [a], image: 'ubuntu:24.04'}", None),
        ("{cmd: [a], image: 'ubuntu@sha256:0'}", ("transform.image", "image 'ubuntu@sha256:0' is")),
        ("{cmd: [a], image: '--privileged'}", ("transform.image", "image '--privileged' is not")),
        (
            "{cmd: [a], image: 'a;b'}",
            ("transform.image", "image 'a;b' is not the name of an image"),
        ),
        ("{cmd: [a], image: fmriprep}", None),
        (
            "{cmd: [a], accept_return_code: [256]}",
            ("transform.accept_return_code", "expected an exit code"),
        ),
        (
            "{cmd: [a], network: maybe}",
            ("transform.network", "expected true or false, got 'maybe'"),
        ),
        ("{cmd: [a], code: ['../x']}", ("transform.code", "glob '../x' must stay inside")),
        ("{cmd: [a], secrets: [{name: x}]}", ("transform.secrets[0]", "the secret is not used")),
        (
            "{cmd: [a], secrets: [{name: x, env_var: PATH}]}",
            ("transform.secrets[0].env_var", "variable PATH is reserved"),
        ),
        ("{cmd: [a], datum_batching: true}", ("transform.datum_batching", "datum_batching is not")),
        ("{cmd: [a], datum_batching: false}", None),
    ],
)
def test_transforms(transform: str, expected: tuple[str, str] | None) -> None:
    """What is an error in a transform, and what is none."""
    text = MINIMAL.replace("{cmd: [python3, edges.py]}", transform)
    found = [row for row in said(text) if row[0] == "error"]
    if expected is None:
        assert [] == found
    else:
        assert expected == (found[0][1], found[0][2][: len(expected[1])])


@pytest.mark.parametrize("word", ["{input}", "{", "a {outputz} b", "{inputs[0]} {0}"])
def test_unknown_placeholders_are_errors_with_view_dataset(word: str) -> None:
    """There the command is read as datalad run reads it; with view pfs they are plain text."""
    text = MINIMAL.replace("edges.py", f"'{word}'")
    assert [] == said(text)
    found = said(text + "view: dataset\noutputs: [x]")
    assert ["transform.cmd"] == [key for _, key, _ in found]
