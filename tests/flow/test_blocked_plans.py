"""What cannot be planned: the sentence names it, and other pipelines go on."""

from __future__ import annotations

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.planning_cache import PlanningCache
from tests.twins.files import Annexed, Gitlink, Symlink
from tests.twins.lab import MemoryLab
from tests.twins.plans import TWO, plan_of
from tests.twins.specs import pfs, spec


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"copy/spec.yml": spec("copy", pfs("rwa"))}, "did you mean raw?"),
        ({"copy/spec.yml": spec("copy", pfs("raw/a"))}, "raw/a is not a directory"),
        (
            {"raw/a": Annexed("one", backend="WORM")},
            "input raw/a has an annex key of backend WORM, which is no hash of its content",
        ),
        (
            {"raw/a": "version https://git-lfs.github.com/spec/v1\n"},
            "input raw/a is kept by Git LFS",
        ),
        (
            {"copy/spec.yml": spec("copy", transform={"image": "tool"})},
            "this dataset has no container tool",
        ),
        (
            {"copy/spec.yml": spec("copy", output={"path": "$2"})},
            "output.path: $2",
        ),
    ],
)
def test_an_unusable_input_blocks_its_pipeline_alone(
    lab: MemoryLab, files: dict[str, object], sentence: str
) -> None:
    """The sentence names the input; other pipelines go on."""
    other = {"other/data/x": "1", "other/p/spec.yml": spec("fine", pfs("other/data"))}
    lab.push({**TWO, **other, **files})  # type: ignore[arg-type]

    plan = plan_of(lab)
    assert plan.state == "blocked"
    assert sentence in plan.detail
    assert plan_of(lab, "fine").state == "running"


IMAGES = {"images/1.png": "1", "edges/spec.yml": spec("edges", pfs("images"))}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"steps/images/spec.yml": spec("images", pfs("raw"))},
            "images is the pipeline images (steps/images/spec.yml) and the folder images",
        ),
        (
            {"spec.yml": spec("images", pfs("raw")) + "---\n" + spec("other", pfs("raw"))},
            "pipeline images (spec.yml) would publish into images, which holds images/1.png",
        ),
        (
            {"a/spec.yml": spec("images", pfs("raw")), "images/spec.yml": spec("c", pfs("raw"))},
            "images is the pipeline images (a/spec.yml) and the folder of the pipeline c",
        ),
    ],
)
def test_a_pipeline_named_like_a_folder_does_not_take_its_readers(
    lab: MemoryLab, files: dict[str, str], sentence: str
) -> None:
    """The readers are blocked, both meanings are named, and the results stay as they were."""
    lab.push({**TWO, **IMAGES})
    lab.settle()
    lab.push(files)

    plan = plan_of(lab, "edges")
    assert "blocked" == plan.state
    assert sentence in plan.detail
    before = lab.files("edges")
    lab.settle()
    assert before == lab.files("edges")


@pytest.mark.parametrize("name", ["images", "check"])
def test_a_pipeline_file_in_a_folder_does_not_take_its_readers(lab: MemoryLab, name: str) -> None:
    """Neither is planned, whatever the pipeline's name, until one of the files says what is meant."""
    lab.push({**TWO, **IMAGES})
    lab.settle()
    before = lab.files("edges")
    lab.push({"images/spec.yml": spec(name, pfs("raw"))})
    lab.settle()

    sentence = f"pipeline {name} (images/spec.yml) is in the folder images, whose files edges reads"
    assert sentence in plan_of(lab, "edges").detail
    assert sentence in plan_of(lab, name).detail
    assert before == lab.files("edges")

    lab.push({"edges/spec.yml": spec("edges", pfs(name, "/*"), salt="its results are meant")})
    lab.settle()
    assert ("settled", "settled") == (plan_of(lab, "edges").state, plan_of(lab, name).state)


def test_an_empty_folder_of_a_pipelines_name_is_no_data(lab: MemoryLab) -> None:
    """A folder in which there are pipelines only is none that could be meant."""
    lab.push({**TWO, "up/copy/spec.yml": spec("up", pfs("copy", "/")), "copy/spec.yml": None})
    lab.push({"x/y/spec.yml": spec("copy"), "copy/inner/spec.yml": spec("inner")})

    assert "blocked" != plan_of(lab, "up").state


def test_a_path_that_begins_with_a_dot_is_the_folder(lab: MemoryLab) -> None:
    """``./images`` never is a pipeline's name, so a reader can say which it means."""
    lab.push({**TWO, **IMAGES, "edges/spec.yml": spec("edges", pfs("./images"))})
    lab.push({"steps/images/spec.yml": spec("images", pfs("raw"))})

    assert {"in:1.png"} == {d.label for d in plan_of(lab, "edges").decisions}


def test_weak_hashes_are_refused_where_the_settings_say_so(lab: MemoryLab) -> None:
    """``annex.strict_hashes``: MD5 is no longer enough."""
    lab.push({**TWO, "raw/a": Annexed("one", backend="MD5E")})
    assert plan_of(lab).state == "running"
    lab.planner = IncrementalPlanner(PlanningCache(strict_hashes=True))

    assert plan_of(lab).state == "blocked"
    assert "annex.strict_hashes" in plan_of(lab).detail


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"b/spec.yml": spec("copy")}, "two pipelines are called copy"),
        ({"b/spec.yml": spec("b", pfs("b"))}, "pipeline b would read its own results"),
        (
            {"b/spec.yml": spec("b", pfs("c")), "c/spec.yml": spec("c", pfs("b"))},
            "cycle: b → c → b",
        ),
    ],
)
def test_pipelines_at_odds_stop_the_whole_plan(
    lab: MemoryLab, files: dict[str, str], sentence: str
) -> None:
    """Nothing is planned, and the problem is named."""
    lab.push({**TWO, **files})
    planned = lab.plan().plan

    assert planned.pipelines == ()
    assert sentence in " ".join(planned.problems)


def test_a_broken_pipeline_file_leaves_the_others_planned(lab: MemoryLab) -> None:
    """Its problem is reported beside them."""
    lab.push({**TWO, "b/spec.yml": "pipeline: {}\n"})
    planned = lab.plan().plan

    assert [p.pipeline.name for p in planned.pipelines] == ["copy"]
    assert "b/spec.yml" in planned.problems[0]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (Annexed("pipeline: {name: x}"), "the pipeline file is annexed"),
        (Symlink("other.yml"), "must be a plain file in git"),
        (Gitlink("1" * 40), "must be a plain file in git"),
        ("#" * 40_000, "must be a plain file in git of less than 32 KiB"),
    ],
)
def test_a_pipeline_file_is_a_small_file_in_git(
    lab: MemoryLab, content: object, sentence: str
) -> None:
    """Anything else at its name is reported."""
    lab.push({**TWO, "b/spec.yml": content})  # type: ignore[dict-item]

    assert sentence in lab.plan().plan.problems[0]


def test_an_unreadable_object_is_a_failure_of_the_world(lab: MemoryLab) -> None:
    """It is raised, so that the branch is planned later; it is no fault of the dataset."""
    lab.push(TWO)
    root = lab.dataset.objects.commit(lab.tip()).tree
    oid = lab.dataset.objects.tree(root)["raw"].oid
    lab.dataset.objects.remove(oid)

    with pytest.raises(OutsideError, match=oid):
        lab.plan()
