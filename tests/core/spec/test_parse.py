"""Parsed pipeline files, and every kind of problem."""

from __future__ import annotations

import time

import pytest

from tea_runner.core.pipeline import (
    Combined,
    Cron,
    Pfs,
    Pipeline,
    Resources,
    SecretReference,
    Transform,
)
from tea_runner.core.spec.parse import parse_specs

MINIMAL = """\
pipeline: {name: edges}
input: {pfs: {repo: images, glob: "/*"}}
transform: {cmd: [python3, edges.py]}
"""


def only(text: str, path: str = "edges/spec.yml") -> Pipeline:
    """The one pipeline of a file, about which there is nothing to say."""
    parsed = parse_specs(path, text.encode(), "b10b")
    assert [] == list(parsed.problems)
    (pipeline,) = parsed.pipelines
    return pipeline


def said(text: str, path: str = "spec.yml") -> list[tuple[str, str, str]]:
    """Kind, key and sentence of each problem."""
    return [(p.kind, p.key, p.sentence) for p in parse_specs(path, text.encode()).problems]


def test_defaults_are_pachyderms() -> None:
    """Branch master, the repo's name, three tries, results below the file's directory."""
    expected = Pipeline(
        name="edges",
        home="edges",
        spec_path="edges/spec.yml",
        spec_blob="b10b",
        transform=Transform(cmd=("python3", "edges.py")),
        input=Pfs(name="images", repo="images", branch="master", glob="/*"),
        datum_tries=3,
    )
    assert expected == only(MINIMAL)


FULL = """\
pipeline:
  name: full-1
description: All of it.
input:
  cross:
    - join:
        - pfs: {repo: raw/t1, glob: "/(*)", join_on: $1, outer_join: true, track: true}
        - pfs: {repo: raw/t2, name: two, branch: main, glob: "/(*)", join_on: "$1"}
    - group:
        - pfs: {repo: ., glob: "/(a)", group_by: "$1", empty_files: true,
                propagation_spec: {never: true}}
    - union:
        - pfs: {repo: "weird name", glob: /}
        - pfs: {repo: /deep/er/, glob: /}
transform:
  cmd: [sh]
  stdin: ["echo 1", exit]
  err_cmd: ["true"]
  err_stdin: [x]
  accept_return_code: [3, 4]
  env: {B: "1", A: text}
  working_dir: /tmp
  user: nobody
  image: registry.example.org:5000/a/b:1@sha256:{digest}
  code: ["code/**"]
  network: true
  secrets:
    - {name: s3, env_var: KEY, key: k}
    - {name: file, mount_path: /secrets}
on_failure: publish
datum_tries: 5
datum_timeout: 90s
job_timeout: 1h30m
datum_set_spec: {number: 10, size_bytes: 1000}
parallelism_spec: {constant: 4}
priority: 4
triggers: all
reprocess_spec: every_job
salt: pepper
output_branch: results
output: {path: "sub/$1"}
resource_requests: {cpu: 0.5, memory: 64M, disk: 1Gi, gpu: {type: nvidia.com/gpu, number: 1}}
resource_limits: {cpu: 2, memory: 2Gi}
metadata: {labels: {worker: big, team: a lab}}
scheduling_spec: {node_selector: {disk: ssd}, priority_class_name: high}
""".replace("{digest}", "0" * 64)


def test_every_field_that_works_is_read() -> None:
    """A file with all of them, as values."""
    expected = Pipeline(
        name="full-1",
        home="a/b",
        spec_path="a/b/spec.yml",
        spec_blob="b10b",
        description="All of it.",
        input=Combined(
            kind="cross",
            inputs=(
                Combined(
                    kind="join",
                    inputs=(
                        Pfs(
                            name="t1",
                            repo="raw/t1",
                            glob="/(*)",
                            join_on="$1",
                            outer_join=True,
                            track=True,
                        ),
                        Pfs(name="two", repo="raw/t2", branch="main", glob="/(*)", join_on="$1"),
                    ),
                ),
                Combined(
                    kind="group",
                    inputs=(
                        Pfs(
                            name="dataset",
                            repo=".",
                            glob="/(a)",
                            group_by="$1",
                            empty_files=True,
                            propagation_never=True,
                        ),
                    ),
                ),
                Combined(
                    kind="union",
                    inputs=(
                        Pfs(name="weird_name", repo="weird name", glob="/"),
                        Pfs(name="er", repo="deep/er", glob="/"),
                    ),
                ),
            ),
        ),
        transform=Transform(
            cmd=("sh",),
            stdin=("echo 1", "exit"),
            err_cmd=("true",),
            err_stdin=("x",),
            accept_return_code=(3, 4),
            env=(("A", "text"), ("B", "1")),
            working_dir="/tmp",
            image="registry.example.org:5000/a/b:1@sha256:" + "0" * 64,
            code=("code/**",),
            secrets=(
                SecretReference(name="s3", key="k", env_var="KEY"),
                SecretReference(name="file", mount_path="/secrets"),
            ),
            network=True,
        ),
        output_path="sub/$1",
        on_failure="publish",
        datum_tries=5,
        datum_timeout=90.0,
        job_timeout=5400.0,
        datum_set_number=10,
        datum_set_bytes=1000,
        parallelism=4,
        priority=4,
        needs_all_triggers=True,
        reprocess="every_job",
        salt="pepper",
        output_branch="results",
        requests=Resources(
            cpu=0.5,
            memory=64_000_000,
            disk=1 << 30,
            gpu_type="nvidia.com/gpu",
            gpu_number=1,
        ),
        limits=Resources(cpu=2, memory=2 << 30),
        worker_labels=("big", "disk=ssd"),
    )
    parsed = parse_specs("a/b/spec.yml", FULL.encode(), "b10b")
    assert (expected,) == parsed.pipelines
    assert ["transform.user"] == [
        problem.key for problem in parsed.problems if problem.kind == "ignored"
    ]


def test_pachyderms_json_is_read() -> None:
    """camelCase names, numbers and booleans of JSON."""
    pipeline = only(
        '{"pipeline": {"name": "j"}, "datumTries": 2, "parallelismSpec": {"constant": 3},\n'
        ' "transform": {"cmd": ["a"], "acceptReturnCode": [3]},\n'
        ' "input": {"pfs": {"repo": "raw", "glob": "/(*)", "joinOn": "$1", "outerJoin": true}}}',
        "j/spec.json",
    )
    leaf = pipeline.input
    assert isinstance(leaf, Pfs)
    assert (2, 3, (3,)) == (
        pipeline.datum_tries,
        pipeline.parallelism,
        pipeline.transform.accept_return_code,
    )
    assert ("$1", True) == (leaf.join_on, leaf.outer_join)


def test_view_dataset() -> None:
    """Its outputs are declared."""
    pipeline = only(
        MINIMAL.replace("edges.py", "'{inputs}'") + "view: dataset\noutputs: [out/$1.txt]\n"
    )
    assert ("dataset", ("out/$1.txt",)) == (pipeline.view, pipeline.outputs)


def test_several_documents_have_homes_of_their_own() -> None:
    """Below the file's directory, by their names; each knows its number and its line."""
    text = MINIMAL + "---\n" + MINIMAL.replace("edges", "corners")
    found = parse_specs("all/spec.yml", text.encode()).pipelines
    assert [("edges", "all/edges", 0, 1), ("corners", "all/corners", 1, 5)] == [
        (p.name, p.home, p.spec_document, p.spec_line) for p in found
    ]


def test_a_file_at_the_top_has_the_top_as_its_home() -> None:
    """Its directory is the dataset itself."""
    assert "" == only(MINIMAL, "spec.yml").home


def test_a_cron_input_is_read() -> None:
    """It is a schedule, whose ticks are not known yet."""
    text = MINIMAL.replace('pfs: {repo: images, glob: "/*"}', "cron: {name: tick, spec: '@daily'}")
    parsed = parse_specs("spec.yml", text.encode())
    assert Cron(name="tick", spec="@daily") == parsed.pipelines[0].input
    assert [] == list(parsed.problems)


def test_all_problems_are_said_at_once() -> None:
    """In the order of their lines, each with its place; the good document is still a pipeline."""
    text = (
        "pipeline: {name: one}\n"
        "comand: x\n"
        "transform: {cmd: [a], lazy: true}\n"
        "input: {pfs: {glob: '/['}}\n"
        "---\n" + MINIMAL
    )
    parsed = parse_specs("p/spec.yml", text.encode())
    assert ["edges"] == [pipeline.name for pipeline in parsed.pipelines]
    assert [
        "p/spec.yml:2:1: error: comand: unknown key 'comand'; did you mean 'cmd' in transform?",
        "p/spec.yml:3:23: error: transform.lazy: unknown key 'lazy'; valid here are cmd, stdin, "
        "err_cmd, err_stdin, accept_return_code, env, working_dir, image, code, network, "
        "secrets",
        "p/spec.yml:4:14: error: input.pfs.repo: repo is missing; add repo: (where the files are)",
        "p/spec.yml:4:15: error: input.pfs.glob: glob '/[', character 2: '[' is not closed; "
        "write ']', or '\\[' for the character",
    ] == [str(problem) for problem in parsed.problems]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("datum_trys: 3", ("error", "datum_trys", "unknown key 'datum_trys'; did you mean")),
        ("cmd: [a]", ("error", "cmd", "unknown key 'cmd'; it belongs in transform")),
        ("join_on: x", ("error", "join_on", "unknown key 'join_on'; it belongs in input.pfs")),
        ("trust: protected", ("error", "trust", "unknown key 'trust'")),
        ("salt: no", ("warning", "salt", "no is text here, but not for every YAML parser")),
        ("salt: 017", ("warning", "salt", "017 is text here")),
        ("salt: 12:30:45", ("warning", "salt", "12:30:45 is text here")),
        ("salt: [a]", ("error", "salt", "expected text, got a list")),
        ('salt: "\\0"', ("error", "salt", "the text contains a NUL character")),
        ("datum_tries: 017", ("error", "datum_tries", "expected a whole number without a leading")),
        ("priority: 0", ("error", "priority", "expected 1 to 100, got 0")),
        ("priority: 101", ("error", "priority", "expected 1 to 100, got 101")),
        ("datum_tries: 101", ("error", "datum_tries", "expected 1 to 100 tries, got 101")),
        ("datum_timeout: 90", ("error", "datum_timeout", "expected a duration with its unit")),
        ("job_timeout: 0s", ("error", "job_timeout", "a duration must be between 1ms and 8784h")),
        ("autoscaling: true", ("ignored", "autoscaling", "autoscaling has no effect; workers are")),
        (
            "podPatch: x",
            ("ignored", "pod_patch", "pod_patch has no effect; tea-runner does not"),
        ),
        ("pod_spec: x", ("deprecation", "pod_spec", "pod_spec has no effect")),
        (
            "chunk_spec: {number: 3}",
            ("deprecation", "chunk_spec", "chunk_spec is an older name of"),
        ),
        ("s3_out: true", ("error", "s3_out", "s3_out is not available; write the files below")),
        ("spout: {a: b}", ("error", "spout", "spout is not available")),
        (
            "datum_set_spec: {per_worker: 2, number: 1}",
            ("error", "datum_set_spec.per_worker", "per_worker cannot"),
        ),
        ("view: both", ("error", "view", "expected pfs or dataset, got 'both'")),
        ("view: dataset", ("error", "outputs", "view: dataset needs outputs")),
        ("outputs: [a]", ("error", "outputs", "outputs needs view: dataset")),
        ("output: {path: ..}", ("error", "output.path", "output path '..' is not allowed")),
        ("output: {path: /}", ("error", "output.path", "output path '/' is not allowed")),
        ("output: {path: .}", ("error", "output.path", "output path '.' is not allowed")),
        (
            "output: {path: .github/$1}",
            ("error", "output.path", "output path '.github/$1' is not allowed"),
        ),
        (
            "output: {path: a/.GIT/b}",
            ("error", "output.path", "output path 'a/.GIT/b' is not allowed"),
        ),
        ("output_branch: tea/x", ("error", "output_branch", "'tea/x' cannot be the branch")),
        (
            "resource_limits: {memory: 2Gb}",
            ("error", "resource_limits.memory", "expected an amoun"),
        ),
        ("on_failure: maybe", ("error", "on_failure", "expected fail or publish, got 'maybe'")),
        ("salt: a\nsalt: b", ("error", "salt", "key 'salt' is given twice, first in line 4")),
        ("datum_tries: 2\ndatumTries: 3", ("error", "datumTries", "datum_tries is given twice")),
    ],
)
def test_a_line_too_many(line: str, expected: tuple[str, str, str]) -> None:
    """What is said when this is added to a file that is in order."""
    length = len(expected[2])
    assert expected in [(kind, key, text[:length]) for kind, key, text in said(MINIMAL + line)]


@pytest.mark.parametrize(
    "line",
    ["s3_out: false", "autoscaling: false", "spout:", "update: false", "metadata: {}", "salt: ''"],
)
def test_what_is_switched_off_is_not_mentioned(line: str) -> None:
    """A field that has no effect because it says so itself."""
    assert [] == said(MINIMAL + line)


@pytest.mark.parametrize(
    ("name", "fine"),
    [("a", True), ("a-b_c9", True), ("-a", False), ("a b", False), ("a" * 64, False), ("ü", False)],
)
def test_names_of_pipelines(name: str, fine: bool) -> None:
    """Up to 63 of letters, digits, _ and -, with a letter or digit at both ends."""
    assert fine == ([] == said(MINIMAL.replace("edges}", f'"{name}"}}')))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", "the file contains no pipeline")),
        ("# nothing", ("", "the file contains no pipeline")),
        ("- a", ("", "expected a mapping of fields, got 'a'")),
        ("- [a]", ("", "expected a mapping of fields, got a list")),
        ("a", ("", "expected a mapping of fields, got 'a'")),
        ("pipeline: x", ("pipeline", "expected a mapping of fields, got 'x'")),
        (
            MINIMAL + "---\n" + MINIMAL,
            ("pipeline.name", "two pipelines of this file have the name"),
        ),
    ],
)
def test_files_that_are_no_pipelines(text: str, expected: tuple[str, str]) -> None:
    """Each has a sentence of its own."""
    found = [(key, sentence[: len(expected[1])]) for _, key, sentence in said(text)]
    assert expected in found


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"k{n}: x\n" for n in range(7000)),
        MINIMAL.replace("edges.py]", "a], stdin: [" + "no, " * 9000 + "]"),
        MINIMAL.replace('pfs: {repo: images, glob: "/*"}', "cross: [" + "{}, " * 9000 + "]"),
        MINIMAL.replace(
            'pfs: {repo: images, glob: "/*"}',
            "cross: [" + "{pfs: {repo: a, glob: '*(*(*(a)))'}}, " * 1200 + "]",
        ),
        MINIMAL.replace("edges.py]", "a], code: [" + "'**a**', " * 6000 + "]"),
        MINIMAL.replace(
            "edges.py]", "a], env: {" + "".join(f"A{n}: , " for n in range(4900)) + "}"
        ),
        "{}" * 32_000,
        "---\n{pipeline: {name: a}}\n" * 2000,
    ],
    ids=["unknown keys", "list", "empty inputs", "globs", "code", "env", "json", "documents"],
)
def test_no_file_takes_long(text: str) -> None:
    """Any file of 64 KiB is read within two seconds."""
    assert len(text) <= 65536
    began = time.process_time()
    parse_specs("spec.yml", text.encode())
    assert time.process_time() - began < 2
