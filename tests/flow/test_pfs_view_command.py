"""Commands of run records for ``view: pfs``: what they say, and where they call tea-runner instead."""

from __future__ import annotations

import ast
import os
import shlex
from pathlib import Path

import pytest

from tea_runner.core.git.hash_object import object_id
from tea_runner.core.planning.plan import Decision
from tea_runner.core.results import run_record
from tea_runner.core.results.run_record import parse_record
from tea_runner.flow import pfs_view_command
from tea_runner.flow.pfs_view_command import (
    OWN_VARIABLES,
    PROGRAM,
    PROGRAM_ID,
    PROGRAM_PATH,
    PROGRAMS,
)
from tea_runner.flow.write_results_commit import finish, published, settle
from tea_runner.host import process
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


def command_of_first(lab: MemoryLab) -> str:
    """The command of the last record before the tip."""
    second = lab.dataset.objects.commit(lab.tip()).parents[-1]
    record = parse_record(lab.dataset.objects.commit(second).message)
    assert record is not None
    return str(record["cmd"])


def words(lab: MemoryLab, option: str) -> list[str]:
    """What follows each occurrence of an option in the command."""
    found = shlex.split(command(lab).partition('"$program" ')[2])
    return [found[place + 1] for place, word in enumerate(found) if word == option]


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


def test_datums_that_are_too_long_for_a_shell_are_in_a_blob(lab: MemoryLab) -> None:
    """The kernel takes 128 KiB for the text of a command; the file travels with the results."""
    files = {f"raw/{number:04}-{'x' * 60}": "one" for number in range(900)}
    group = {"group": [pfs(glob="/(0)*", group_by="$1")]}
    lab.push({**files, "copy/spec.yml": spec("copy", group)})
    lab.settle()

    (blob,) = words(lab, "--datums")
    assert len(command(lab)) < 2000
    assert [] == words(lab, "--datum")
    text = lab.files()[f".datalad/tea-runner/datums-{blob[:12]}"]
    assert ["--datum", "--to"] == text.split("\0")[0:3:2]
    assert "raw/0000-" in text
    assert PROGRAM_PATH in lab.files()
    assert [] == check(lab).problems


def test_records_of_many_datums_are_short(lab: MemoryLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than 500 datums several share a record, however many there are."""
    monkeypatch.setattr(run_record, "CHAIN_ENTRIES", 16)
    monkeypatch.setattr(pfs_view_command, "_LONGEST", 800)
    lab.push({**{f"raw/{name}": name for name in "abcdefgh"}, "copy/spec.yml": spec("copy")})
    lab.settle()

    second = lab.dataset.objects.commit(lab.tip()).parents[-1]
    for commit in (second, lab.dataset.objects.commit(second).parents[0]):
        record = parse_record(lab.dataset.objects.commit(commit).message)
        assert record is not None
        assert len(str(record["cmd"])) < 800
        assert "--datums" in str(record["cmd"])
    assert [] == check(lab).problems


def test_long_shell_text_of_a_dataset_view_is_a_script(
    lab: MemoryLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from its blob, so that nothing in the work tree takes its place."""
    monkeypatch.setattr(pfs_view_command, "_LONGEST", 100)
    cmd = ["sh", "-c", "cp {inputs} {outputs} # " + "x" * 100]
    document = spec("copy", view="dataset", outputs=["$0"], transform={"cmd": cmd})
    lab.push({"raw/a": "one", "copy/spec.yml": document})
    lab.settle()

    said = command(lab)
    (path,) = [path for path in lab.files() if path.startswith(".datalad/tea-runner/script-")]
    assert "x" * 100 in lab.files()[path]
    assert path.removeprefix(".datalad/tea-runner/script-") in said
    assert len(said) < 200
    assert [] == check(lab).problems


def test_images_and_secrets_are_named(lab: MemoryLab) -> None:
    """The program finds an engine, and asks for secrets."""
    image = "x@sha256:" + "0" * 64
    secrets = [{"name": "key", "key": "k", "env_var": "TOKEN"}]
    document = spec("copy", transform={"image": image, "secrets": secrets})
    lab.push({"raw/a": "one", "copy/spec.yml": document})
    lab.settle()

    assert ([image], ["TOKEN"]) == (words(lab, "--image"), words(lab, "--secret"))
    assert [] == check(lab).problems


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
    finished = finish(inputs, ((each, planned.unsettled[each.key][1]) for each in published(plan)))
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


def test_a_commit_with_a_former_program_is_verified(
    lab: MemoryLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of a release is known by its id; any other is none of ours."""
    text = PROGRAM + b"# former\n"
    former = object_id("blob", text)
    with monkeypatch.context() as then:
        then.setattr(pfs_view_command, "PROGRAM", text)
        then.setattr(pfs_view_command, "PROGRAM_ID", former)
        then.setattr(pfs_view_command, "PROGRAMS", (former,))
        lab.push(TWO)
        lab.settle()
        assert former in command_of_first(lab)

    assert [f"its records execute {former}, which is no program of a release"] == check(
        lab
    ).problems
    monkeypatch.setattr(pfs_view_command, "PROGRAMS", (former, PROGRAM_ID))
    assert [] == check(lab).problems


def test_programs_of_releases_are_known() -> None:
    """Each tag's program is in the list, and the last one is the current one."""
    folder = Path(__file__).parents[2]
    tags = process.run(["git", "tag", "--list", "v*"], cwd=folder, env=dict(os.environ)).stdout
    released = set()
    for tag in tags.decode().split():
        name = f"{tag}:tea_runner/sandbox/rerun_program.py"
        argv = ["git", "rev-parse", "--verify", "-q", name]
        found = process.run(argv, cwd=folder, env=dict(os.environ), check=False)
        released |= {found.stdout.decode().strip()} - {""}

    assert set() == released - set(PROGRAMS)
    assert PROGRAMS[-1] == PROGRAM_ID
