"""Keys: which fields they contain, that the form is injective, and golden vectors."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.datums import datum_keys
from tea_runner.core.datums.content_identity import Content
from tea_runner.core.datums.datum_keys import (
    KeyBase,
    VisibleFile,
    VisibleInput,
    canonical,
    datum_key,
    key_base,
)
from tea_runner.core.pipeline import Pfs, Pipeline, Resources, Transform

VECTORS = Path(__file__).parent / "vectors" / "keys.json"

PIPELINE = Pipeline(
    name="edges",
    home="edges",
    spec_path="edges/spec.yml",
    transform=Transform(cmd=("sh", "code/edges.sh")),
    input=Pfs(name="images", repo="images", glob="/*"),
)
CODE = (VisibleFile("code/edges.sh", True, Content("MD5", 3, "0" * 32)),)
IMAGE = VisibleFile("images/a.png", False, Content("SHA256", 7, "a" * 64))
SEEN = VisibleInput("images", "images/a.png", False, "", "", (IMAGE,))
HOST = ("host",)


def key(
    pipeline: Pipeline = PIPELINE,
    *,
    environment: tuple[str, ...] = HOST,
    code: tuple[VisibleFile, ...] = CODE,
    seen: tuple[VisibleInput, ...] = (SEEN,),
) -> str:
    """The key of one datum."""
    return datum_key(key_base(pipeline, environment, code), seen)


def transform(**more: Any) -> Pipeline:
    """The pipeline with another transform."""
    return replace(PIPELINE, transform=replace(PIPELINE.transform, **more))


def holding(content: Content) -> VisibleInput:
    """The input with a file of this content."""
    return SEEN._replace(files=(IMAGE._replace(content=content),))


NOT_IN_THE_KEY = {
    "name": replace(PIPELINE, name="other"),
    "home": replace(PIPELINE, home="else/where", spec_path="else/where/spec.yml"),
    "spec": replace(PIPELINE, spec_blob="1" * 40, spec_document=3, spec_line=9),
    "description": replace(PIPELINE, description="words"),
    "input": replace(PIPELINE, input=Pfs(name="images", repo="else", branch="b", glob="/(*)")),
    "on_failure": replace(PIPELINE, on_failure="publish"),
    "tries": replace(PIPELINE, datum_tries=9),
    "datum_timeout": replace(PIPELINE, datum_timeout=5.0),
    "job_timeout": replace(PIPELINE, job_timeout=5.0),
    "datum sets": replace(PIPELINE, datum_set_number=4, datum_set_bytes=99),
    "parallelism": replace(PIPELINE, parallelism=2),
    "triggers": replace(PIPELINE, needs_all_triggers=True),
    "priority": replace(PIPELINE, priority=9),
    "reprocess": replace(PIPELINE, reprocess="every_job"),
    "output_branch": replace(PIPELINE, output_branch="results"),
    "resources": replace(PIPELINE, requests=Resources(cpu=2), limits=Resources(memory=1)),
    "outputs of another view": replace(PIPELINE, outputs=("x",)),
}

IN_THE_KEY = {
    "cmd": key(transform(cmd=("sh", "code/edges.sh", ""))),
    "cmd cut otherwise": key(transform(cmd=("sh code/edges.sh",))),
    "stdin": key(transform(stdin=("x",))),
    "stdin of two lines": key(transform(stdin=("x", ""))),
    "err_cmd": key(transform(err_cmd=("true",))),
    "err_stdin": key(transform(err_stdin=("x",))),
    "codes": key(transform(accept_return_code=(3,))),
    "env": key(transform(env=(("A", "1"),))),
    "env value": key(transform(env=(("A", "2"),))),
    "env moved": key(transform(env=(("A1", ""),))),
    "working_dir": key(transform(working_dir="x")),
    "user": key(transform(user="1000")),
    "network": key(transform(network=True)),
    "salt": key(replace(PIPELINE, salt="1")),
    "view": key(replace(PIPELINE, view="dataset")),
    "declared outputs": key(replace(PIPELINE, view="dataset", outputs=("x",))),
    "hidden names": key(replace(PIPELINE, output_path="$1")),
    "environment": key(environment=("image", "sha256:1")),
    "another image": key(environment=("image", "sha256:2")),
    "no code": key(code=()),
    "code path": key(code=(CODE[0]._replace(path="code/edge.sh"),)),
    "code not executable": key(code=(CODE[0]._replace(executable=False),)),
    "code content": key(code=(CODE[0]._replace(content=Content("MD5", 3, "1" * 32)),)),
    "more code": key(code=(*CODE, VisibleFile("code/x", False, Content("MD5", 0, "2" * 32)))),
    "input name": key(seen=(SEEN._replace(name="i"),)),
    "visible path": key(seen=(SEEN._replace(path="images/b.png"),)),
    "directory": key(seen=(SEEN._replace(is_dir=True),)),
    "join_on": key(seen=(SEEN._replace(join_on="x"),)),
    "group_by": key(seen=(SEEN._replace(group_by="x"),)),
    "file path": key(seen=(SEEN._replace(files=(IMAGE._replace(path="images/b.png"),)),)),
    "exec bit": key(seen=(SEEN._replace(files=(IMAGE._replace(executable=True),)),)),
    "no files": key(seen=(SEEN._replace(files=()),)),
    "names only": key(seen=(SEEN._replace(files=(IMAGE._replace(content=None),)),)),
    "content": key(seen=(holding(Content("SHA256", 7, "b" * 64)),)),
    "size": key(seen=(holding(Content("SHA256", 8, "a" * 64)),)),
    "algorithm": key(seen=(holding(Content("BLAKE2B256", 7, "a" * 64)),)),
    "two inputs": key(seen=(SEEN, SEEN)),
    "no input": key(seen=()),
}


@pytest.mark.parametrize("what", NOT_IN_THE_KEY)
def test_what_a_command_cannot_observe_is_not_in_the_key(what: str) -> None:
    """Names, places, limits, tries and resources leave the key as it is."""
    assert key() == key(NOT_IN_THE_KEY[what])


def test_what_a_command_can_observe_is_in_the_key() -> None:
    """Each single change gives a key of its own."""
    keys = {"as it is": key(), **IN_THE_KEY}

    assert len(keys) == len(set(keys.values()))


def test_the_order_of_codes_env_and_code_files_says_nothing() -> None:
    """What is a set is sorted; what is a sequence is not."""
    more = VisibleFile("a", False, Content("MD5", 0, "2" * 32))
    env = (("A", "1"), ("B", "2"))

    assert key(code=(*CODE, more)) == key(code=(more, *CODE))
    assert key(transform(env=env)) == key(transform(env=env[::-1]))
    assert key(transform(accept_return_code=(3, 1))) == key(transform(accept_return_code=(1, 3)))
    other = SEEN._replace(name="b")
    assert key(seen=(SEEN, other)) != key(seen=(other, SEEN))


leaf = st.one_of(
    st.text(),
    st.binary(),
    st.integers(),
    st.booleans(),
    st.none(),
    st.sampled_from(["\udc80", "1:", "s1:a", b"s1:a", b""]),
)
value = st.recursive(leaf, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=8)


def _typed(thing: object) -> object:
    """Python takes True for 1; a command does not."""
    if isinstance(thing, tuple):
        return tuple(map(_typed, thing))
    return type(thing).__name__, thing


@given(value, value)
def test_the_canonical_form_is_injective(one: object, two: object) -> None:
    """Two values have one form only if they are equal in value and type."""
    assert (_typed(one) == _typed(two)) == (canonical(one) == canonical(two))


@given(st.lists(value, min_size=1, max_size=3), st.lists(value, max_size=3))
def test_no_form_begins_another(one: list[object], two: list[object]) -> None:
    """Forms written one after the other cannot be cut in another way."""
    joined = b"".join(map(canonical, one))

    assert (list(map(_typed, one)) == list(map(_typed, two))) == (
        joined == b"".join(map(canonical, two))
    )


def test_other_types_have_no_form() -> None:
    """A float or a mapping is a mistake of ours, not a key."""
    with pytest.raises(TypeError, match="no canonical form for float"):
        canonical(("x", 1.5))


path = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=6)
content = st.one_of(
    st.none(),
    st.builds(Content, st.sampled_from(["MD5", "SHA256", "GIT"]), st.integers(-1, 9), path),
)
file = st.builds(VisibleFile, path, st.booleans(), content)
entry = st.builds(
    VisibleInput, path, path, st.booleans(), path, path, st.lists(file, max_size=2).map(tuple)
)
entries = st.lists(entry, max_size=2).map(tuple)


@given(entries, entries)
def test_different_views_have_different_keys(
    one: tuple[VisibleInput, ...], two: tuple[VisibleInput, ...]
) -> None:
    """No two views that differ anywhere share a key."""
    assert (one == two) == (key(seen=one) == key(seen=two))


def _vector(row: dict[str, Any]) -> str:
    """The key that a row of the golden file describes."""

    def files(rows: list[list[Any]]) -> tuple[VisibleFile, ...]:
        return tuple(VisibleFile(p, x, Content(*c) if c else None) for p, x, c in rows)

    said = row["transform"]
    said = {n: tuple(map(tuple, v)) if n == "env" else v for n, v in said.items()}
    lists = {n: tuple(v) if isinstance(v, list) else v for n, v in said.items()}
    pipeline = replace(PIPELINE, transform=Transform(**lists), **row["pipeline"])
    if isinstance(pipeline.outputs, list):
        pipeline = replace(pipeline, outputs=tuple(pipeline.outputs))
    shared = key_base(pipeline, row["environment"], files(row["code"]))
    seen = [VisibleInput(*(*one[:5], files(one[5]))) for one in row["inputs"]]
    return datum_key(shared, seen)


@pytest.mark.parametrize("row", json.loads(VECTORS.read_text()), ids=lambda row: row["about"])
def test_keys_are_what_they_were(row: dict[str, Any]) -> None:
    """Golden keys: when one of these changes, everybody's results are computed anew."""
    assert row["key"] == _vector(row)


TEXTS = st.text(max_size=6)
CONTENTS = st.builds(Content, st.sampled_from(["SHA256", "GIT"]), st.integers(-1, 99), TEXTS)


@st.composite
def visible_inputs(draw: st.DrawFn) -> VisibleInput:
    """An input as a command sees it, often of one file that is the entry itself."""
    path = draw(TEXTS)
    file = VisibleFile(path, draw(st.booleans()), draw(st.none() | CONTENTS))
    others = st.builds(VisibleFile, TEXTS, st.booleans(), st.none() | CONTENTS)
    files = [file] if draw(st.booleans()) else draw(st.lists(others, max_size=3))
    flag = draw(st.booleans())
    return VisibleInput(draw(TEXTS), path, flag, draw(TEXTS), draw(TEXTS), tuple(files))


@given(st.lists(visible_inputs(), max_size=3))
def test_a_key_is_the_digest_of_the_canonical_form(inputs: list[VisibleInput]) -> None:
    """What the key's loop writes out for speed is the canonical form of the same fields."""
    shared = KeyBase("1" * 64, "2" * 64, "3" * 64, "4" * 64)
    form = b"tea-key 1\0" + b"".join(part.encode() + b"\0" for part in astuple(shared))
    for *fields, files in inputs:
        form += canonical(fields) + b"I%d:" % len(files) + b"".join(map(datum_keys._file, files))
    assert hashlib.sha256(form).hexdigest() == datum_key(shared, inputs)
