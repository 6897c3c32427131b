"""Commands of run records for ``view: pfs``: what they say, and where they call tea-runner instead."""

from __future__ import annotations

import ast
import shlex

import pytest

from tea_runner.core.planning.plan import Decision
from tea_runner.core.results.run_record import parse_record
from tea_runner.flow.pfs_view_command import OWN_VARIABLES, PROGRAM, PROGRAM_ID, PROGRAM_PATH
from tea_runner.flow.write_results_commit import finish, settle
from tests.twins.files import Content, Symlink
from tests.twins.lab import WHO, MemoryLab
from tests.twins.plans import TWO
from tests.twins.queries import check
from tests.twins.specs import pfs, spec


def command(lab: MemoryLab) -> str:
    """The command of the record at the tip."""
    record = parse_record(lab.dataset.objects.commit(lab.tip()).message)
    assert record is not None
    return str(record["cmd"])


def words(lab: MemoryLab, option: str) -> list[str]:
    """What follows each occurrence of an option in the command."""
    found = shlex.split(command(lab).partition('"$program" ')[2])
    return [found[place + 1] for place, word in enumerate(found) if word == option]


def test_the_program_changes_on_purpose_only() -> None:
    """Another program makes other results commits: those of releases have to be verified all the same."""
    assert "b73f908d00afc8aed1e0f1c34f8fc0d5273f0a67" == PROGRAM_ID


def test_the_program_is_in_the_dataset_once() -> None:
    """The path names its content, so that two versions are in nobody's way when branches are merged."""
    assert f".datalad/tea-runner/rerun-{PROGRAM_ID[:12]}.py" == PROGRAM_PATH


def test_the_program_needs_only_pythons_library() -> None:
    """It runs where no tea-runner is installed."""
    tree = ast.parse(PROGRAM)
    names = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert not [name for name in names if name.startswith(("tea_runner", "workers", "datalad"))]
    (own,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VARIABLES"
    ]
    assert {*own, "PFS", "TEA_DATASET"} == OWN_VARIABLES


def test_only_what_git_knows_and_the_command_does_not_see_is_left_out(lab: MemoryLab) -> None:
    """Of a folder with results: the pipeline's own files, and each folder of which nothing is seen."""
    lab.push({"raw/a": "one", "copy/spec.yml": spec("copy"), "copy/old/x/y": "y"})
    lab.settle()
    lab.push({"down/spec.yml": spec("down", pfs("copy", "/"))})
    lab.settle()

    assert ["copy/manifest.sig", "copy/manifest.tsv", "copy/old", "copy/spec.yml"] == sorted(
        words(lab, "--without")
    )
    assert "--in in copy --" in command(lab)


def test_the_record_is_the_same_for_all_hosts_and_runs(lab: MemoryLab) -> None:
    """No job, and no commit but that of the inputs."""
    pushed = lab.push({"raw/a": "one", "copy/spec.yml": spec("copy")})
    lab.settle()

    settings = shlex.split(command(lab).partition('"$program" ')[2])
    names = [settings[place + 1] for place, word in enumerate(settings) if word == "--set"]
    assert [
        "FILESET_ID",
        "PACH_DATUM_ID",
        "PPS_PIPELINE_NAME",
        "PPS_SPEC_COMMIT",
        "in_COMMIT",
    ] == names
    assert pushed in settings


def test_a_command_that_is_too_long_for_a_shell_calls_tea_runner(lab: MemoryLab) -> None:
    """A datum of thousands of files is named by its label."""
    files = {f"raw/{number:04}-{'x' * 60}": "one" for number in range(900)}
    group = {"group": [pfs(glob="/(0)*", group_by="$1")]}
    lab.push({**files, "copy/spec.yml": spec("copy", group)})
    lab.settle()

    assert command(lab).startswith("tea-runner exec --spec ")
    assert PROGRAM_PATH not in lab.files()


def test_images_and_secrets_need_tea_runner(lab: MemoryLab) -> None:
    """The program has no engine and no secret."""
    image = spec("copy", transform={"image": "x@sha256:" + "0" * 64})
    lab.push({"raw/a": "one", "copy/spec.yml": image})
    lab.settle()
    assert command(lab).startswith("tea-runner exec --spec ")


@pytest.mark.parametrize("path", [".datalad", ".datalad/tea-runner"])
@pytest.mark.parametrize("thing", ["a file", Symlink("../raw")], ids=["file", "link"])
def test_a_file_in_the_place_of_the_program_stays(
    lab: MemoryLab, path: str, thing: Content
) -> None:
    """No results commit deletes what people have there; the record calls tea-runner then."""
    lab.push({"raw/a": "one", "copy/spec.yml": spec("copy"), path: thing})
    before = lab.entries()[path]
    lab.settle()
    assert before == lab.entries()[path]
    assert command(lab).startswith("tea-runner exec --spec ")


def test_a_commit_of_a_former_release_is_verified(lab: MemoryLab) -> None:
    """Its records call ``tea-runner exec``, and it has no program."""
    lab.push(TWO)
    lab.advance()
    lab.work()
    planned = lab.plan()
    inputs, (plan,) = planned.works["copy"], planned.plan.pipelines
    finished = finish(inputs, plan, lambda decision: planned.unsettled[decision.key][1])
    assert not isinstance(finished, Decision)
    done = settle(
        lab.dataset,
        "main",
        planned.tip,
        inputs,
        finished,
        [],
        who=WHO,
        storage_uuid=lambda: "",
        command=None,
    )
    assert done is not None
    assert PROGRAM_PATH not in lab.files()
    assert [] == check(lab).problems
