"""Relative symlinks inside the dataset: inputs and code have the content that they lead to."""

from __future__ import annotations

import pytest

from tea_runner.core.errors import UserError
from tea_runner.core.planning.reasons import SENTENCES
from tea_runner.core.results.run_record import parse_record
from tea_runner.flow.lint_pipelines import lint_pipelines
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tests.flow.test_nested_datasets import Group
from tests.twins.files import Annexed, Content, Gitlink, Symlink
from tests.twins.lab import MemoryLab
from tests.twins.plans import TWO, plan_of, reasons
from tests.twins.specs import pfs, spec


def inputs_of(lab: MemoryLab, name: str = "copy") -> PipelineInputs:
    """The inputs of a pipeline at the tip."""
    view = lab.view()
    (pipeline,) = (each for each in view.pipelines if each.name == name)
    return derive_inputs(view, pipeline)


def keys(lab: MemoryLab, name: str = "copy") -> dict[str, str]:
    """Label to key."""
    return {item.label: item.key for item in inputs_of(lab, name).keyed}


def seen(lab: MemoryLab, name: str = "copy") -> dict[str, list[str]]:
    """Label to the visible paths of its files."""
    inputs = inputs_of(lab, name)
    return {each.label: [f.visible for f in inputs.view(each).files] for each in inputs.datums}


@pytest.mark.parametrize(
    "files",
    [
        {"raw/b": Symlink("a")},
        {"raw/b": Symlink("./../raw/a")},
        {"raw/b": Symlink("../far/c"), "far/c": Symlink("d"), "far/d": Symlink("../raw/a")},
        {"raw/b": Symlink("../far/a"), "far": Symlink("raw")},
        {"raw/b": Symlink("../far/x"), "far/x": "one"},
        {"raw/a": Annexed("one"), "raw/b": Symlink("a")},
        {"raw/a": Annexed("one", unlocked=True), "raw/b": Symlink("a")},
    ],
)
def test_a_link_to_a_file_is_that_file(lab: MemoryLab, files: dict[str, Content | None]) -> None:
    """By any number of links, annexed or not: the key is that of the content under the link's name."""
    lab.push({**TWO, **files})
    linked = keys(lab)["in:b"]
    content = lab.push({"raw/b": files.get("raw/a", "one")})

    assert content
    assert linked == keys(lab)["in:b"]


def test_a_link_that_leads_to_equal_bytes_elsewhere_keeps_the_key(lab: MemoryLab) -> None:
    """And one whose target's content changes has another."""
    lab.push({**TWO, "raw/b": Symlink("a"), "more/x": "one"})
    lab.settle()

    lab.push({"raw/b": Symlink("../more/x")})
    assert {"in:a": ("current", "current"), "in:b": ("current", "current")} == reasons(lab)

    lab.push({"more/x": "other"})
    assert {"in:a": ("current", "current"), "in:b": ("run", "input-changed")} == reasons(lab)


@pytest.mark.parametrize("glob", ["/*", "/*/*", "/cur/*", "/cur/**", "/*/**.dat", "/"])
def test_a_link_to_a_folder_is_that_folder(lab: MemoryLab, glob: str) -> None:
    """Its files are datums, or files of a datum, as those of the folder would be."""
    folder = {"v2/a.dat": "a", "v2/d/b.dat": Annexed("b"), "v2/d/.gitattributes": "* -text\n"}
    base = {"raw/x/y.dat": "y", "copy/spec.yml": spec("copy", pfs("raw", glob))}
    lab.push({**base, **folder, "raw/cur": Symlink("../v2")})  # type: ignore[dict-item]
    linked, shown = keys(lab), seen(lab)
    lab.push({"raw/cur": None})
    lab.push({"raw/cur/a.dat": "a", "raw/cur/d/b.dat": Annexed("b")})

    assert linked == keys(lab)
    assert shown == seen(lab)


def test_two_stars_do_not_go_through_links(lab: MemoryLab) -> None:
    """As in bash: the files are there once, not under each of their names."""
    lab.push(
        {
            "raw/v2/a.dat": "a",
            "raw/cur": Symlink("v2"),
            "copy/spec.yml": spec("copy", pfs("raw", "/**.dat")),
        }
    )
    assert ["in:v2/a.dat"] == list(keys(lab))


def test_an_input_can_be_a_link_to_a_folder(lab: MemoryLab) -> None:
    """``repo: latest``: the folder that it leads to now."""
    lab.push(
        {
            "v1/a": "1",
            "v2/a": "2",
            "latest": Symlink("v1"),
            "copy/spec.yml": spec("copy", pfs("latest", "/*")),
        }
    )
    lab.settle()
    lab.push({"latest": Symlink("v2")})
    assert {"in:a": ("run", "input-changed")} == reasons(lab)


def test_a_pipeline_reads_links_of_anothers_outputs(lab: MemoryLab) -> None:
    """``latest.txt -> model-1.txt``, and a link to a folder of outputs."""
    lab.push({**TWO, "sum/spec.yml": spec("sum", pfs("copy", "/*"))})
    outputs = {"m/1.txt": "1", "latest.txt": Symlink("m/1.txt"), "cur": Symlink("m")}

    def command(label: str, key: str) -> dict[str, Content]:
        return dict(outputs) if label == "in:a" else {"b.txt": "b"}

    lab.settle(command=lambda label, key: {} if label.startswith("x") else command(label, key))

    assert {
        "in:b.txt": ["in/b.txt"],
        "in:cur/": ["in/cur/1.txt"],
        "in:latest.txt": ["in/latest.txt"],
        "in:m/": ["in/m/1.txt"],
    } == seen(lab, "sum")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("/etc/passwd", "an absolute path"),
        ("../../x", "leads out of the dataset"),
        ("../.git/config", "leads into .git"),
        ("../.datalad/config", "leads into .datalad"),
        ("nowhere", "there is no raw/nowhere"),
        ("a/x", "there is no raw/a/x"),
        ("b", "goes round in a circle"),
        ("../raw", "goes round in a circle"),
        ("x" * 5000, "is too long"),
    ],
)
def test_a_link_that_cannot_be_followed_fails_its_datum_alone(
    lab: MemoryLab, target: str, why: str
) -> None:
    """It is named; the other datums are computed."""
    lab.push({**TWO, "raw/b": Symlink(target)})
    lab.settle()

    plan = plan_of(lab)
    assert "failed" == plan.state
    assert {"in:a": ("reuse", "known"), "in:b": ("failed", "broken-link")} == reasons(lab)
    (sentence,) = (each.detail for each in plan.decisions if each.label == "in:b")
    assert "raw/b is a link to" in sentence
    assert why in sentence


def test_a_link_that_is_mended_is_followed(lab: MemoryLab) -> None:
    """Its target appears; nothing else changes."""
    lab.push({**TWO, "raw/b": Symlink("../more/x")})
    lab.settle()
    lab.push({"more/x": "here"})
    assert ("run", "new") == reasons(lab)["in:b"]


def test_a_datum_with_a_broken_link_has_a_reason_of_its_own(lab: MemoryLab) -> None:
    """It never ran: no retry helps, and the sentence does not say so."""
    lab.push({**TWO, "raw/b": Symlink("nowhere")})
    lab.settle()

    assert ("failed", "broken-link") == reasons(lab)["in:b"]
    assert "retry" not in SENTENCES["broken-link"]


def test_a_broken_link_is_an_error_of_lint(lab: MemoryLab) -> None:
    """In code it is a warning: commands that do not need it run."""
    lab.push({**TWO, "raw/b": Symlink("nowhere"), "code/x": Symlink("/usr/bin/env")})
    found = {(each.kind, each.message) for each in lint_pipelines(lab.view())}
    assert {
        ("error", "raw/b is a link to nowhere: there is no raw/nowhere in this dataset"),
        (
            "warning",
            "code/x is a link to /usr/bin/env: an absolute path is of one machine only",
        ),
    } == found


def test_records_name_what_links_lead_to(lab: MemoryLab) -> None:
    """So that stock ``datalad rerun`` gets the content; files below an input are named by it."""
    lab.push(
        {
            "raw/d/a": "a",
            "raw/d/l": Symlink("../../far/x"),
            "raw/d/m": Symlink("a"),
            "far/x": Annexed("x"),
            "code/t": Symlink("../far/y"),
            "far/y": Annexed("y"),
            "copy/spec.yml": spec("copy", pfs("raw", "/*")),
        }
    )
    lab.settle()
    record = parse_record(lab.dataset.objects.commit(lab.tip()).message)
    assert record is not None
    assert ["far/x", "raw/d"] == record["inputs"]
    assert ["far/y"] == record["extra_inputs"]


def test_on_failure_publish_leaves_out_datums_with_broken_links(lab: MemoryLab) -> None:
    """The others are published."""
    lab.push({**TWO, "raw/b": Symlink("x"), "copy/spec.yml": spec("copy", on_failure="publish")})
    lab.settle()
    assert ["in-a.txt"] == list(lab.files("copy"))


def test_links_in_code_have_the_content_they_lead_to(lab: MemoryLab) -> None:
    """To files and to folders, inside of ``code/`` and out of it."""
    lab.push(
        {
            **TWO,
            "code/run.sh": Symlink("v2/run.sh"),
            "code/v2/run.sh": "2",
            "code/lib": Symlink("../lib"),
            "lib/x.py": "x",
        }
    )
    assert ("code/lib/x.py", "code/run.sh", "code/v2/run.sh") == inputs_of(lab).code
    lab.settle()
    lab.push({"lib/x.py": "changed"})
    assert {("run", "code-changed")} == set(reasons(lab).values())


def test_a_link_in_code_that_leads_nowhere_stops_no_pipeline(lab: MemoryLab) -> None:
    """Commands do not see it; a pipeline that declares it as code is refused."""
    links = {"code/python": Symlink("/usr/bin/python3"), "code/gone": Symlink("nowhere")}
    lab.push({**TWO, **links, "code/x.sh": "x"})
    assert ("code/x.sh",) == inputs_of(lab).code

    lab.push({"copy/spec.yml": spec("copy", transform={"code": ["/code/*"]})})
    with pytest.raises(UserError, match="code/gone is a link to nowhere"):
        inputs_of(lab)


def test_results_of_another_pipeline_are_not_read_through_a_link(lab: MemoryLab) -> None:
    """Nothing would wait for them; a pipeline that reads them anyway may."""
    link = {"more/r": Symlink("../copy/in-a.txt"), "more/x": "x"}
    lab.push({**TWO, **link, "sum/spec.yml": spec("sum", pfs("more", "/*"))})
    lab.settle()
    plan = plan_of(lab, "sum")
    assert "blocked" == plan.state
    assert "copy/in-a.txt" in plan.detail
    assert "pipeline copy" in plan.detail

    both = {"cross": [pfs("more", "/*", "in"), pfs("copy", "/", "c")]}
    lab.push({"sum/spec.yml": spec("sum", both)})
    lab.settle()
    assert "settled" == plan_of(lab, "sum").state


def test_links_of_a_subdataset_stay_inside_of_it(lab: MemoryLab) -> None:
    """Files and folders; one that leads out of it leads nowhere where the subdataset is alone."""
    group = Group(lab, "one", "far")
    one = {
        "a": Annexed("a"),
        "l": Symlink("a"),
        "d/x": "x",
        "e": Symlink("d"),
        "out": Symlink("../top"),
    }
    link = group.put("one", dict(one))
    specs = {"use/spec.yml": spec("use", pfs("raw", "/sub/*"))}
    group.push({"raw/sub": "one"}, {"raw/sub": link, "raw/top": "t", **specs})

    assert ["in:sub/a", "in:sub/d/", "in:sub/e/", "in:sub/l", "in:sub/out"] == sorted(group.keys())
    (problem,) = group.inputs().broken.values()
    assert "raw/sub/out is a link to ../top: it leads out of the dataset" == problem
    source = group.inputs().sources[0]
    assert ("raw/sub", "raw/sub/a") == source.locate("sub/l")[1:]
    assert ("raw/sub", "raw/sub/d/x") == source.locate("sub/e/x")[1:]


def test_a_link_into_a_subdataset_has_the_content_at_its_pin(lab: MemoryLab) -> None:
    """A file or a folder; a moved pin is another content."""
    group = Group(lab, "one")
    first = group.put("one", {"d/a": "1", "b": "b"})
    links: dict[str, Content | None] = {"raw/f": Symlink("../sub/b"), "raw/d": Symlink("../sub/d")}
    specs = {"use/spec.yml": spec("use", pfs("raw", "/*"))}
    group.push({"sub": "one"}, {"sub": first, **links, **specs})
    assert {"in:d/": ["in/d/a"], "in:f": ["in/f"]} == group.seen()
    lab.settle()
    group.push({"sub": "one"}, {"sub": group.put("one", {"d/a": "2"})})

    assert {"in:d/": ("run", "input-changed"), "in:f": ("current", "current")} == reasons(
        lab, "use"
    )


def test_a_link_into_a_subdataset_that_may_not_be_read_stops_the_pipeline(lab: MemoryLab) -> None:
    """It is no way around the rules of subdatasets."""
    group = Group(lab, "one")
    group.push(
        {"sub": "missing"},
        {
            "sub": Gitlink("1" * 40),
            "raw/f": Symlink("../sub/b"),
            "use/spec.yml": spec("use", pfs("raw", "/*")),
        },
    )
    plan = plan_of(lab, "use")
    assert "blocked" == plan.state
    assert "subdataset sub" in plan.detail


def test_an_image_can_be_a_link(lab: MemoryLab) -> None:
    """``tool--latest.sif -> tool--1.0.sif``: the same bytes are the same environment."""
    config = '[datalad "containers.tool"]\n\timage = img/latest.sif\n\tcmdexec = x\n'
    files = {".datalad/config": config, "img/latest.sif": Symlink("1.sif")}
    text = spec("copy", transform={"image": "tool"})
    lab.push({**TWO, **files, "img/1.sif": Annexed("one"), "copy/spec.yml": text})
    lab.settle()
    lab.push({"img/2.sif": Annexed("one"), "img/latest.sif": Symlink("2.sif")})
    assert "settled" == plan_of(lab).state
    lab.push({"img/2.sif": Annexed("two")})
    assert {("run", "environment-changed")} == set(reasons(lab).values())


def test_files_behind_folders_that_multiply_are_limited(
    lab: MemoryLab,
) -> None:
    """Thirty folders with two links each to the next would be a thousand million files."""
    files: dict[str, Content | None] = {"raw/d29/x": "x", "copy/spec.yml": spec("copy")}
    for number in range(29):
        files |= {f"raw/d{number}/{name}": Symlink(f"../d{number + 1}") for name in "ab"}
    lab.push(files)
    plan = plan_of(lab)
    assert "blocked" == plan.state
    assert "make more than 100000 files" in plan.detail
