"""Pipeline files at random: always pipelines or problems, soon, and never an exception."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.spec.parse import parse_specs
from tests.fuzz import runs

_SEEDS = [
    path.read_bytes() for path in sorted((Path(__file__).parents[2] / "examples").rglob("spec.yml"))
]
_PIECES = st.sampled_from(
    [
        b"&a ",
        b"*a",
        b"!!python/name:os.system ",
        b"<<: ",
        b"- ",
        b"? ",
        b": ",
        b"|\n",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"'",
        b"\t",
        b"\0",
        b"\xff",
        b"---\n",
        b"%YAML 1.1\n",
        b"$1",
        b"/(*)",
        b"../",
        b"@(a|b)",
        b"{a,b}",
        b"\\u0000",
        b"017",
        b"12:30:45",
        b"no",
        b"9" * 400,
        b"\r\n",
        "\u2028".encode(),
    ]
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file of the examples with pieces put in, taken out and doubled; or any bytes."""
    data = (
        draw(st.sampled_from(_SEEDS)) if draw(st.integers(0, 5)) else draw(st.binary(max_size=400))
    )
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(data)))
        much = draw(st.integers(0, 30))
        how = draw(st.integers(0, 2))
        if how == 0:
            data = data[:place] + draw(_PIECES | st.binary(max_size=5)) + data[place:]
        elif how == 1:
            data = data[:place] + data[place + much :]
        else:
            data = (
                data[:place] + data[place : place + much] * draw(st.integers(2, 5)) + data[place:]
            )
    return data


@runs(300)
@given(files())
def test_every_file_gets_an_answer(data: bytes) -> None:
    """What is no pipeline has a problem that names the file, and can be printed."""
    parsed = parse_specs("home/spec.yml", data, "0" * 40)
    assert parsed.pipelines or parsed.errors
    for problem in parsed.problems:
        assert str(problem).startswith("home/spec.yml")
        str(problem).encode("utf-8")
    for pipeline in parsed.pipelines:
        assert pipeline.home.startswith("home")
        assert ".." not in pipeline.home.split("/")
