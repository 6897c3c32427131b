"""Every problem that lint reports, with its place and the next step."""

from __future__ import annotations

import pytest

from tea_runner.core.spec.resource_allowance import ResourceAllowance
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.lint_pipelines import lint_pipelines
from tea_runner.flow.planning_cache import PlanningCache
from tests.twins.files import Annexed, Content
from tests.twins.lab import MemoryLab
from tests.twins.plans import CHAIN, TWO
from tests.twins.queries import lint, unsaved
from tests.twins.specs import pfs, spec


def rows(files: dict[str, Content | None]) -> list[tuple[str, str, str, str, str]]:
    """Kind, file, key, message and hint of each problem."""
    return [(p.kind, p.file, p.key, p.message, p.hint) for p in lint(files)]


def test_a_dataset_that_runs_has_no_problems() -> None:
    """Uncommitted, also a chain whose results are not made yet."""
    assert lint(CHAIN) == ()


def test_files_upon_a_commit_are_read_together(lab: MemoryLab) -> None:
    """What the tip has counts, except where a file was removed."""
    lab.push(TWO)

    assert lint({"more/spec.yml": spec("more", pfs("copy"))}, lab) == ()
    (problem,) = lint({"raw/a": None, "raw/b": None}, lab)
    assert problem.message == "raw is no longer in this dataset: the input is empty"


def test_two_pipelines_of_one_name_are_reported_at_the_second() -> None:
    """The first one is named."""
    assert rows({**TWO, "other/spec.yml": spec("copy")}) == [
        (
            "error",
            "other/spec.yml",
            "pipeline.name",
            "two pipelines are called copy; the other is in copy/spec.yml",
            "give each a name of its own",
        )
    ]


def test_a_name_that_is_a_pipeline_and_a_folder_is_reported_at_its_reader() -> None:
    """Both are named, and how each is written."""
    files = {
        **TWO,
        "images/1.png": "1",
        "edges/spec.yml": spec("edges", pfs("images")),
        "steps/images/spec.yml": spec("images", pfs("raw")),
    }
    (row,) = rows(dict(files))
    assert ("error", "edges/spec.yml", "input.pfs.repo") == row[:3]
    assert "images is the pipeline images (steps/images/spec.yml) and the folder images" == row[3]
    assert "write steps/images for the pipeline's results, or ./images for the folder" == row[4]


@pytest.mark.parametrize(
    ("field", "asked", "key", "sentence"),
    [
        ("resource_limits", {"memory": "5Gi"}, "memory", "5120 MiB, and 4096 MiB is allowed"),
        ("resource_limits", {"memory": 4294967297}, "memory", "MiB, and 4096 MiB is allowed"),
        ("resource_requests", {"memory": "64Gi"}, "memory", "65536 MiB, and 4096 MiB is allowed"),
        ("resource_limits", {"cpu": 2.5}, "cpu", "2.5, and 2 is allowed"),
        ("resource_requests", {"cpu": "2001m"}, "cpu", "2.001, and 2 is allowed"),
        ("resource_requests", {"disk": "2Ti"}, "disk", "2097152 MiB, and 1024 MiB is allowed"),
        (
            "resource_limits",
            {"gpu": {"type": "nvidia.com/gpu", "number": 1}},
            "gpu.number",
            "1, and 0 is allowed",
        ),
    ],
)
def test_more_than_the_operator_allows_is_refused(
    lab: MemoryLab, field: str, asked: dict[str, object], key: str, sentence: str
) -> None:
    """Lint and plan name the field, the limit and the setting; other pipelines are planned."""
    allowed = ResourceAllowance(cpu=2, memory=4 << 30, disk=1 << 30, gpu=0)
    fits = {field: {"memory": "4Gi", "cpu": 2, "disk": "1Gi"}}
    files: dict[str, Content | None] = {
        "raw/a": "one",
        "large/spec.yml": spec("large", **{field: asked}),
        "fits/spec.yml": spec("fits", **fits),
    }
    errors = [p for p in lint_pipelines(unsaved(None, files, allowed)) if p.kind == "error"]
    assert [("large/spec.yml", f"{field}.{key}")] == [(p.file, p.key) for p in errors]
    assert sentence in errors[0].message
    assert f"resources.{key.partition('.')[0]}" in errors[0].hint
    assert errors[0].line > 1

    lab.planner = IncrementalPlanner(PlanningCache(allowed=allowed))
    lab.push(files)  # type: ignore[arg-type]
    planned = lab.plan().plan
    assert ["fits"] == [each.pipeline.name for each in planned.pipelines]
    assert sentence in planned.problems[0]


@pytest.mark.parametrize("other", ["copy/spec.json", "copy/spec.yaml"])
def test_two_pipeline_files_in_one_folder_are_both_refused(lab: MemoryLab, other: str) -> None:
    """Each would replace the manifest of the other, without end; lint and plan name both files."""
    files = {**TWO, other: spec("other")}
    text = f"pipelines other ({other}) and copy (copy/spec.yml) would publish into one folder, copy"
    hint = "keep one pipeline file in a folder"
    expected = [("error", file, "", text, hint) for file in (other, "copy/spec.yml")]
    assert expected == rows(files)

    lab.push(files)
    done = lab.advance()
    assert [f"{file}:1: error: {text}; {hint}" for _, file, *_ in expected] == list(done.problems)
    assert ({}, []) == (done.pipelines, lab.queue.jobs())


def test_a_document_whose_folder_has_a_pipeline_file_is_refused() -> None:
    """The pipelines of a file with two documents publish into folders of their names."""
    two = "\n---\n".join([spec("a", pfs("raw")), spec("b", pfs("raw"))])
    found = rows({**TWO, "more/spec.yml": two, "more/a/spec.json": spec("c")})

    assert [("more/a/spec.json", "more/a"), ("more/spec.yml", "more/a")] == [
        (file, message.rpartition(", ")[2]) for _, file, _, message, _ in found
    ]


def test_a_pipeline_that_reads_itself_is_reported_at_its_input() -> None:
    """With the line of ``repo``."""
    (problem,) = lint({**TWO, "copy/spec.yml": spec("copy", pfs("copy"))})

    assert problem.key == "input.pfs.repo"
    assert problem.message == "pipeline copy would read its own results"
    assert problem.line > 1


def test_every_cycle_is_reported() -> None:
    """Two cycles are two problems."""
    found = rows(
        {
            "a/spec.yml": spec("a", pfs("b")),
            "b/spec.yml": spec("b", pfs("a")),
            "c/spec.yml": spec("c", pfs("d")),
            "d/spec.yml": spec("d", pfs("c")),
        }
    )

    assert [(key, message) for _, _, key, message, _ in found] == [
        ("input", "cycle: a → b → a"),
        ("input", "cycle: c → d → c"),
    ]


def test_an_input_that_is_not_there_is_reported_with_what_may_be_meant() -> None:
    """Each missing input of several, by its own key."""
    source = {"cross": [pfs("rwa"), pfs("copy2", name="x"), pfs("raw", name="y")]}
    found = rows({**TWO, "copy/spec.yml": spec("copy", source)})

    assert [(key, message, hint) for _, _, key, message, hint in found] == [
        (
            "input.cross[0].pfs.repo",
            "there is no pipeline or directory rwa in this dataset",
            "did you mean raw?",
        ),
        (
            "input.cross[1].pfs.repo",
            "there is no pipeline or directory copy2 in this dataset",
            "did you mean copy?",
        ),
    ]


def test_a_file_as_an_input_is_reported() -> None:
    """Inputs are directories."""
    (found,) = rows({**TWO, "copy/spec.yml": spec("copy", pfs("raw/a"))})

    assert found[2:4] == ("input.pfs.repo", "raw/a is not a directory of this dataset")


@pytest.mark.parametrize(
    ("files", "key", "beginning"),
    [
        ({"raw/a": Annexed("x", backend="WORM")}, "input", "input raw/a has an annex key"),
        (
            {"copy/spec.yml": spec("copy", transform={"image": "tool"})},
            "transform.image",
            "this dataset has no container tool",
        ),
        ({"copy/spec.yml": spec("copy", output={"path": "$3"})}, "output.path", "$3 gives nothing"),
    ],
)
def test_what_blocks_a_plan_is_reported(
    files: dict[str, Content | None], key: str, beginning: str
) -> None:
    """With the planner's own sentence."""
    (found,) = rows({**TWO, **files})

    assert found[0] == "error"
    assert found[2] == key
    assert found[3].startswith(beginning)


def test_a_glob_that_matches_nothing_is_a_bad_habit() -> None:
    """The pipeline would run, with no datums."""
    assert rows({**TWO, "copy/spec.yml": spec("copy", pfs(glob="/*.csv"))}) == [
        (
            "warning",
            "copy/spec.yml",
            "input.pfs.glob",
            "/*.csv matches nothing in raw",
            "the pipeline has no datums; tea-runner datums lists them",
        )
    ]


def test_inputs_without_a_common_key_are_a_bad_habit() -> None:
    """Each glob matches, but no datum comes of the join."""
    join = {
        "join": [
            pfs("x", "/(*).csv", name="x", join_on="$1"),
            pfs("y", "/(*).csv", name="y", join_on="$1"),
        ]
    }
    (found,) = rows({"x/a.csv": "1", "y/b.csv": "1", "p/spec.yml": spec("p", join)})

    assert found[3] == "the inputs have nothing in common: the pipeline has no datums"


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        (
            {"copy/spec.yml": spec("copy", cmd=["python3", "code/tol.py"]), "code/tool.py": "1"},
            "there is no file code/tol.py in this dataset",
            "did you mean code/tool.py?",
        ),
        (
            {"copy/spec.yml": spec("copy", cmd=["sh", "x.sh"])},
            "there is no file x.sh in this dataset",
            "paths begin at the dataset's top",
        ),
        (
            {"copy/spec.yml": spec("copy", cmd=["./lib/tool.py"]), "lib/tool.py": "1"},
            "the command does not see ./lib/tool.py",
            'write transform.code: ["/lib/tool.py"], or move it beside copy/spec.yml',
        ),
    ],
)
def test_a_script_that_the_command_cannot_find_is_a_bad_habit(
    files: dict[str, Content | None], message: str, hint: str
) -> None:
    """A near name is suggested, or how to make it visible."""
    (found,) = rows({**TWO, **files})

    assert (found[0], found[3], found[4]) == ("warning", message, hint)
    assert found[2].startswith("transform.cmd[")


@pytest.mark.parametrize(
    "more",
    [
        {"transform": {"image": "x@sha256:" + "a" * 64}},
        {"transform": {"working_dir": "/srv"}},
        {"view": "dataset", "outputs": ["out"]},
    ],
)
def test_scripts_are_left_where_the_command_may_find_them(more: dict[str, object]) -> None:
    """In an image, in another directory, or among the datum's own files."""
    command = spec("copy", pfs("raw", "/*.sh"), cmd=["sh", "raw/run.sh"], **more)  # type: ignore[arg-type]

    assert lint({"raw/run.sh": "1", "copy/spec.yml": command}) == ()


def test_problems_of_the_files_themselves_come_in_order() -> None:
    """Sorted by file and line, each once."""
    found = lint(
        {
            "raw/a": "1",
            "b/spec.yml": "pipeline:\n  nam: b\n",
            "a/spec.yml": Annexed("pipeline: {}"),
        }
    )

    assert [p.file for p in found] == sorted(p.file for p in found)
    assert found[0].message == "the pipeline file is annexed; it has to be kept in git"
    assert "git annex unannex a/spec.yml" in found[0].hint


def _hundred(more: dict[str, Content | None]) -> dict[str, Content | None]:
    raw: dict[str, Content | None] = {f"raw/{number}": str(number) for number in range(100)}
    return {**raw, "copy/spec.yml": spec("copy", cmd=["python3", "code/tool.py"]), **more}


def test_a_file_that_much_hangs_on_and_nothing_names_is_a_bad_habit() -> None:
    """A change of it computes a hundred datums again."""
    (found,) = rows(_hundred({"code/tool.py": "import helper", "code/table.csv": "1"}))

    assert found[3] == (
        "100 datums run again when code/table.csv changes, and neither the command nor other code names it"
    )
    assert found[4] == 'if the command does not read it, write transform.code: ["!/code/table.csv"]'


@pytest.mark.parametrize(
    "code",
    [
        {"code/tool.py": "import helper\nhelper.do()", "code/helper.py": "1"},
        {"code/tool.py": "open('code/table.csv')", "code/table.csv": "1"},
        {"code/tool.py": "1", "code/README.md": "1"},
        {"code/tool.py": "from lib import x", "code/lib/__init__.py": ""},
    ],
)
def test_files_that_code_may_read_are_left(code: dict[str, Content | None]) -> None:
    """Modules and tables that a script names, documentation, and files of packages."""
    assert lint(_hundred(code)) == ()


def test_few_datums_are_left() -> None:
    """With a few datums it does not matter."""
    assert lint({**TWO, "code/table.csv": "1"}) == ()
