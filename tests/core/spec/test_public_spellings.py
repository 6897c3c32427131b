"""What public pipeline files contain: every spelling that Pachyderm reads is read."""

from __future__ import annotations

import json

import pytest

from tea_runner.core.pipeline import Pfs, Pipeline
from tea_runner.core.spec.parse import parse_specs
from tea_runner.core.spec.source_position import locate

MINIMAL = """\
pipeline: {name: edges}
input: {pfs: {repo: images, glob: "/*"}}
transform: {cmd: [python3, edges.py]}
"""


def _all(text: str, path: str = "edges/spec.yml") -> tuple[Pipeline, ...]:
    """The pipelines of a file, about which there is nothing to say."""
    parsed = parse_specs(path, text.encode())
    assert () == parsed.problems
    return parsed.pipelines


def _errors(text: str) -> list[tuple[str, str]]:
    """Key and sentence of each error."""
    return [(p.key, p.sentence) for p in parse_specs("spec.yml", text.encode()).errors]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *((word, True) for word in ("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON")),
        *((word, False) for word in ("false", "False", "FALSE", "no", "No", "NO", "off", "Off")),
        *((word, value) for word, value in (("y", True), ("Y", True), ("n", False), ("N", False))),
    ],
)
def test_booleans_of_both_versions_of_yaml(written: str, value: bool) -> None:
    """YAML 1.1 and 1.2: each spelling is the boolean."""
    (pipeline,) = _all(MINIMAL.replace('glob: "/*"', f'glob: "/*", empty_files: {written}'))
    assert isinstance(pipeline.input, Pfs)
    assert value == pipeline.input.empty_files


@pytest.mark.parametrize("written", ["False", "no", "Off", "0", "null", "~", "{}"])
def test_a_field_that_is_off_in_any_spelling_is_not_mentioned(written: str) -> None:
    """No word about a field without effect that its value switches off."""
    (_,) = _all(f"{MINIMAL}autoscaling: {written}\n")


def test_zero_is_the_default() -> None:
    """Numbers that are 0 are as if they were not given, as in Protocol Buffers."""
    text = (
        'datumTries: "0"\nresource_requests: {memory: "0", cpu: 0, disk: 0}\n'
        "parallelism_spec: {constant: 0}\nresource_limits: {memory: 0}\n"
    )
    parsed = parse_specs("edges/spec.yml", (MINIMAL + text).encode())
    (pipeline,) = parsed.pipelines
    assert (3, None, None, None, None) == (
        pipeline.datum_tries,
        pipeline.requests.memory,
        pipeline.requests.cpu,
        pipeline.limits.memory,
        pipeline.parallelism,
    )


def test_the_address_of_a_schema_is_no_field() -> None:
    """Editors write ``$schema`` at the top of a file."""
    (_,) = _all('"$schema": https://example.org/pipeline.schema.json\n' + MINIMAL)


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_a_list_of_pipelines(kind: str) -> None:
    """As several documents: each has a home of its own."""
    one = {
        "pipeline": {"name": "a"},
        "input": {"pfs": {"repo": "raw", "glob": "/*"}},
        "transform": {"cmd": ["true"], "stdin": ["\U0001f375"]},
    }
    other = {**one, "pipeline": {"name": "b"}}
    text = json.dumps([one, other], indent=1)
    if kind == "yaml":
        text = "- " + MINIMAL.replace("\n", "\n  ").replace("edges}", "a}").rstrip() + "\n"
        text += text.replace("name: a", "name: b")
    pipelines = _all(text)
    assert [("a", "edges/a", 0), ("b", "edges/b", 1)] == [
        (each.name, each.home, each.spec_document) for each in pipelines
    ]
    if kind == "json":
        assert ("\U0001f375",) == pipelines[0].transform.stdin


def test_positions_in_a_list() -> None:
    """A problem in the second pipeline of a list has its line; fields are found there."""
    text = "- " + MINIMAL.replace("\n", "\n  ").rstrip() + "\n"
    text += text.replace("edges}", "other}").replace("/*", "/[")
    (problem,) = parse_specs("spec.yml", text.encode()).problems
    assert (5, "input.pfs.glob") == (problem.line, problem.key)
    assert 5 == locate(text.encode(), 1, "input.pfs.glob").line


def test_an_empty_list_has_no_pipeline() -> None:
    """As an empty file."""
    assert [("", "the file contains no pipeline; write pipeline: name: …")] == _errors("[]")


def test_lists_count_as_documents() -> None:
    """At most 100 pipelines in a file, however they are written."""
    text = "[" + ",".join(["{}"] * 101) + "]"
    assert ("", "the file has more than 100 documents; split it") in _errors(text)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("256MB", 256_000_000),
        ("2GiB", 2 << 30),
        ("64M", 64_000_000),
        ("10kB", 10_000),
        ("512B", 512),
        ("1e9", 1_000_000_000),
        ("2E", 2 * 10**18),
    ],
)
def test_amounts_of_memory(written: str, size: int) -> None:
    """Units with and without B, and numbers with an exponent."""
    (pipeline,) = _all(f'{MINIMAL}resource_limits: {{memory: "{written}"}}\n')
    assert size == pipeline.limits.memory


@pytest.mark.parametrize("field", ["spout", "service", "tf_job"])
@pytest.mark.parametrize("value", ["{}", "{image: x}"])
def test_what_keeps_running_is_answered_by_name(field: str, value: str) -> None:
    """The usual empty mapping too; nothing is said about the input that such a pipeline lacks."""
    text = MINIMAL.replace('input: {pfs: {repo: images, glob: "/*"}}\n', "")
    ((key, sentence),) = _errors(f"{text}{field}: {value}\n")
    assert (field, f"{field} is not available") == (key, sentence[: len(field) + 17])


@pytest.mark.parametrize("name", ["LD_LIBRARY_PATH", "PACH_PYTHON_AUTH_TOKEN", "PPS_ETCD_PREFIX"])
def test_variables_that_public_files_set(name: str) -> None:
    """They reach the command only."""
    (pipeline,) = _all(MINIMAL.replace("edges.py]", f"edges.py], env: {{{name}: x}}"))
    assert ((name, "x"),) == pipeline.transform.env


@pytest.mark.parametrize(
    "name",
    ["PACH_JOB_ID", "PACH_DATUM_in_JOIN_ON", "PPS_PIPELINE_NAME", "FILESET_ID", "PPS_NAMESPACE"],
)
def test_variables_that_tea_runner_sets(name: str) -> None:
    """They cannot be set by a pipeline: Pachyderm's worker would replace the value."""
    ((key, sentence),) = _errors(MINIMAL.replace("edges.py]", f"edges.py], env: {{{name}: x}}"))
    assert (f"transform.env.{name}", f"variable {name} is reserved") == (
        key,
        sentence[: 21 + len(name)],
    )


def test_an_older_strategy_of_parallelism() -> None:
    """``strategy: CONSTANT`` belongs to ``constant``, and other strategies have no effect."""
    text = f"{MINIMAL}parallelism_spec: {{strategy: CONSTANT, constant: 4}}\n"
    parsed = parse_specs("spec.yml", text.encode())
    assert ((), 4) == (parsed.errors, parsed.pipelines[0].parallelism)


@pytest.mark.parametrize(
    ("twice", "env"),
    [
        ("env: {A: '1', B: x, A: \"1\"}", (("A", "1"), ("B", "x"))),
        ("env:\n  env: {A: '1'}", (("A", "1"),)),
        ("env: {A: '1'}\n  env:", (("A", "1"),)),
    ],
)
def test_a_key_twice_with_one_meaning_is_a_warning(
    twice: str, env: tuple[tuple[str, str], ...]
) -> None:
    """The same text again, or nothing beside a value; two values are an error."""
    text = f"{MINIMAL.partition('transform')[0]}transform:\n  cmd: [a]\n  {twice}\n"
    parsed = parse_specs("spec.yml", text.encode())
    (problem,) = parsed.problems
    assert ("warning", True) == (problem.kind, "is given twice" in problem.message)
    assert env == parsed.pipelines[0].transform.env
    assert [] != _errors(text.replace("A: '1'", "A: '0', A: '1'"))


def test_fields_of_the_first_versions_are_answered_by_name() -> None:
    """With what to write instead."""
    ((key, sentence),) = _errors(MINIMAL.replace("edges.py]", "edges.py], build: {path: .}"))
    assert ("transform.build", "build is not available; build the image") == (key, sentence[:39])
