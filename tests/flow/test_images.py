"""Images by tag: their digests are in keys, manifests, jobs and resolved files."""

from __future__ import annotations

from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.planning_cache import PlanningCache
from tea_runner.flow.resolve_pipeline import resolve_spec
from tests.twins.files import Content
from tests.twins.images import MemoryImages
from tests.twins.lab import MemoryLab
from tests.twins.plans import plan_of, reasons
from tests.twins.queries import check, lineage
from tests.twins.specs import spec

A, B = (f"example.org/tool@sha256:{letter * 64}" for letter in "ab")
FILES: dict[str, Content] = {
    "raw/a": "1",
    "copy/spec.yml": spec("copy", transform={"image": "example.org/tool:1"}),
}


def _lab(images: MemoryImages) -> MemoryLab:
    lab = MemoryLab()
    lab.planner = IncrementalPlanner(PlanningCache(images=images))
    return lab


def test_a_tag_has_the_key_of_its_digest() -> None:
    """Written as tag or as digest, the image is the same environment: nothing runs again."""
    lab = _lab(MemoryImages({"example.org/tool:1": A}))
    lab.push(FILES)
    assert ["in:a"] == lab.settle()[1]
    lab.push({"copy/spec.yml": spec("copy", transform={"image": A})})
    assert [] == lab.settle()[1]


def test_a_moved_tag_is_a_change_with_a_reason_of_its_own() -> None:
    """The datums run again once; the manifest says with which image the results were made."""
    images = MemoryImages({"example.org/tool:1": A})
    lab = _lab(images)
    lab.push(FILES)
    lab.settle()
    assert f"# image example.org/tool:1 {A}\n" in lab.text("copy/manifest.tsv")
    images.tags["example.org/tool:1"] = B
    lab.push({"other": "x"})

    assert {"in:a": ("run", "image-moved")} == reasons(lab)
    (decision,) = plan_of(lab).decisions
    assert "sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb" == decision.detail
    assert ["in:a"] == lab.settle()[1]
    assert {"in:a": ("current", "current")} == reasons(lab)
    lab.push({"copy/spec.yml": spec("copy", transform={"image": A})})
    assert {"in:a": ("reuse", "known")} == reasons(lab)


def test_another_tag_is_another_environment() -> None:
    """It did not move: the pipeline file was changed."""
    lab = _lab(MemoryImages({"example.org/tool:1": A, "example.org/tool:2": B}))
    lab.push(FILES)
    lab.settle()
    lab.push({"copy/spec.yml": spec("copy", transform={"image": "example.org/tool:2"})})
    assert {"in:a": ("run", "environment-changed")} == reasons(lab)


def test_a_job_names_the_image_by_its_digest() -> None:
    """So the worker takes the planner's image, wherever the tag is by then."""
    lab = _lab(MemoryImages({"example.org/tool:1": A}))
    lab.push(FILES)
    lab.advance()
    assert [A] == [job.image for job in lab.queue.jobs()]


def test_a_silent_registry_stops_one_pipeline_only() -> None:
    """The reason is said; what has results goes on with the image that they were made with."""
    images = MemoryImages({"example.org/tool:1": A})
    lab = _lab(images)
    lab.push(FILES)
    lab.settle()
    images.is_down = True
    lab.push({"raw/b": "2", "new/spec.yml": spec("new", transform={"image": "example.org/n:1"})})

    plan = plan_of(lab, "new")
    assert ("blocked", "image-unavailable") == (plan.state, plan.reason)
    assert "registry example.org does not answer" == plan.detail
    assert {"in:a": ("current", "current"), "in:b": ("run", "new")} == reasons(lab, "copy")


def test_an_image_that_does_not_exist_is_an_error_of_its_pipeline() -> None:
    """With the place in the pipeline file."""
    lab = _lab(MemoryImages())
    lab.push(FILES)
    plan = plan_of(lab)
    assert "blocked" == plan.state
    expected = (
        "copy/spec.yml:1: transform.image: registry example.org has no image example.org/tool:1"
    )
    assert expected == plan.detail


def test_the_resolved_file_has_the_digest() -> None:
    """And the tag, for people."""
    lab = _lab(MemoryImages({"example.org/tool:1": A}))
    lab.push(FILES)
    tip = lab.plan().tip
    row = resolve_spec(tip, tip.pipelines.ordered[0])
    transform = row["spec"]["transform"]
    assert (A, "example.org/tool:1") == (transform["image"], transform["image_tag"])
    assert ["image", A.partition("@")[2]] == row["environment"]


def test_a_results_commit_is_verified_with_the_image_of_its_time() -> None:
    """The manifest has the digest, so no registry is asked."""
    images = MemoryImages({"example.org/tool:1": A})
    lab = _lab(images)
    lab.push(FILES)
    lab.settle()
    images.tags.clear()
    found = check(lab)
    assert ([], 1) == (found.problems, found.datums)


def test_lineage_knows_the_image_of_the_time() -> None:
    """The tag has moved since, and the registry says so."""
    images = MemoryImages({"example.org/tool:1": A})
    lab = _lab(images)
    lab.push(FILES)
    lab.settle()
    images.tags["example.org/tool:1"] = B
    lab.push({"other": "x"})
    found = lineage(lab, ["copy/in-a.txt"], tip=lab.plan().tip)
    (step,) = found.steps.values()
    assert ("image", A.partition("@")[2]) == step.environment
