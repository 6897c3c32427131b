"""Pictures of pipelines: the order of reading, and names that try to be more than names."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tea_runner.present.pipeline_graph import Box, dag_dot, dag_mermaid, dag_svg, dag_text, layers

UPSTREAM = {"montage": ["edges"], "report": ["edges", "montage"], "edges": ["images"]}
BOXES = [
    Box(name="report", state="waiting"),
    Box(name="montage", state="running", note="0 / 1", link="#montage"),
    Box(name="edges", state="done", note="5 done / 5", link="#edges"),
]
HOSTILE = '"><script>alert(1)</script>\x1b[31m\udcff]; p0["x\\" & -->'
SVG = "{http://www.w3.org/2000/svg}"


def test_each_stands_behind_all_that_it_reads() -> None:
    """Columns follow the longest way; what is read but is no pipeline is left out."""
    expected = [["edges", "lone"], ["montage"], ["report"]]
    assert expected == layers(["report", "montage", "edges", "lone"], UPSTREAM)


def test_a_circle_is_drawn_rather_than_followed_forever() -> None:
    """Pipelines that read each other still have a place each."""
    columns = layers(["a", "b", "c"], {"a": ["c"], "b": ["a"], "c": ["b"]})
    assert ["a", "b", "c"] == sorted(name for column in columns for name in column)
    assert dag_svg([Box(name="a")], {"a": ["a"]}).endswith("</svg>")


def test_nothing_makes_an_empty_picture() -> None:
    """No pipelines are no lines, and still a picture that can be read."""
    assert [] == layers([], {})
    assert [] == dag_text([], {})
    assert ET.fromstring(dag_svg([], {})).tag == f"{SVG}svg"


def test_text_names_shape_reads_and_numbers_in_line() -> None:
    """One line each, in the order of the work, notes in a column."""
    expected = [
        "✓ edges ← images           5 done / 5",
        "▶ montage ← edges          0 / 1",
        "○ report ← edges, montage",
    ]
    assert expected == dag_text(BOXES, UPSTREAM)


def test_mermaid_has_a_box_and_an_arrow_for_each() -> None:
    """Boxes are numbered, so that names need not be names of Mermaid's."""
    expected = [
        "flowchart LR",
        '  p0["○ report"]:::waiting',
        '  p1["▶ montage<br>0 / 1"]:::running',
        '  p2["✓ edges<br>5 done / 5"]:::done',
        "  p2 --> p0",
        "  p1 --> p0",
        "  p2 --> p1",
    ]
    assert expected == dag_mermaid(BOXES, UPSTREAM).splitlines()


def test_dot_has_a_node_and_an_edge_for_each() -> None:
    """In Graphviz's own quotes."""
    drawn = dag_dot(BOXES, UPSTREAM)
    assert '  "edges" [label="✓ edges\\n5 done / 5"];' in drawn
    assert '  "edges" -> "montage";' in drawn


def test_svg_has_a_linked_box_for_each_and_an_arrow_between() -> None:
    """The picture is well-formed, names states by class and shape, and has no style of its own."""
    root = ET.fromstring(dag_svg(BOXES, UPSTREAM))
    groups = [str(each.get("class")) for each in root.iter(f"{SVG}g")]
    assert sorted(groups) == ["box done", "box running", "box waiting"]
    assert ["#edges", "#montage"] == [each.get("href") for each in root.iter(f"{SVG}a")]
    assert 3 == sum(each.get("class") == "arrow" for each in root.iter(f"{SVG}path"))
    assert not [each for each in root.iter() if each.get("style") or each.tag == f"{SVG}style"]


def test_boxes_do_not_lie_on_one_another() -> None:
    """Thirty pipelines in three columns have thirty places."""
    names = [f"p{number}" for number in range(30)]
    upstream = {name: [names[number % 10]] for number, name in enumerate(names) if number >= 10}
    root = ET.fromstring(dag_svg([Box(name=name) for name in names], upstream))
    rectangles = [each for each in root.iter(f"{SVG}rect") if each.get("class") is None]
    assert 30 == len({(each.get("x"), each.get("y")) for each in rectangles})


@pytest.mark.parametrize(
    "draw", [dag_svg, dag_dot, dag_mermaid, lambda *a: "\n".join(dag_text(*a))]
)
def test_hostile_names_stay_text(draw: object) -> None:
    """No name breaks out of its quotes, and no control character comes through."""
    boxes = [Box(name=HOSTILE, state="failed", note=HOSTILE, link="#x"), Box(name="edges")]
    drawn = draw(boxes, {HOSTILE: ["edges"]})  # type: ignore[operator]
    drawn.encode()
    assert "\x1b" not in drawn
    if draw is dag_svg:
        assert "<script" not in drawn
        assert not list(ET.fromstring(drawn).iter("script"))
    if draw is dag_mermaid:
        assert 4 == len(drawn.splitlines())
        assert "<script" not in drawn
    if draw is dag_dot:
        for line in drawn.splitlines():
            assert line.replace("\\\\", "").replace('\\"', "").count('"') % 2 == 0
