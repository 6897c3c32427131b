"""Results commits: their shape, their messages, the manifest, the location log."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.annex_paths import log_path
from tea_runner.core.git.tree import EXECUTABLE, LINK
from tea_runner.core.results import manifest as manifests
from tea_runner.core.results.run_record import parse_record
from tea_runner.flow.pfs_view_command import PROGRAM, PROGRAM_ID
from tests.twins.dataset import MemoryDataset
from tests.twins.files import Annexed, Content, Executable, Symlink
from tests.twins.lab import WHO, MemoryLab, output_of
from tests.twins.plans import CHAIN, TWO
from tests.twins.specs import pfs, spec

ONE = {"raw/a": "one", "copy/spec.yml": spec("copy")}


def parents(lab: MemoryLab, commit: str = "") -> tuple[str, ...]:
    """Ids of the parents of a commit, or of the tip."""
    return lab.dataset.objects.commit(commit or lab.tip()).parents


def record(lab: MemoryLab, commit: str = "") -> Mapping[str, object]:
    """The run record of a commit."""
    found = parse_record(lab.dataset.objects.commit(commit or lab.tip()).message)
    assert found is not None
    return found


def location_log(lab: MemoryLab, key: str) -> str:
    """The location log of a key on the ``git-annex`` branch."""
    path = log_path(key)
    return lab.files(branch="git-annex").get(path, "")


def test_one_datum_makes_one_commit_with_its_record(lab: MemoryLab) -> None:
    """DataLad's run record, and our trailers after it; its only parent is the pushed commit."""
    pushed = lab.push(ONE)
    lab.settle()

    assert parents(lab) == (pushed,)
    assert record(lab)["inputs"] == ["raw/a"]
    assert record(lab)["outputs"] == ["copy/in-a.txt"]
    program = f"program=$(git cat-file blob {PROGRAM_ID}) && "
    assert str(record(lab)["cmd"]).startswith(program)
    assert PROGRAM == lab.dataset.objects.blob(PROGRAM_ID)
    key = lab.plan().plan.pipelines[0].decisions[0].key
    assert lab.trailers() == {"Tea-Pipeline": "copy", "Tea-Input": pushed, "Tea-Key": key}


def test_several_datums_make_a_chain_that_is_merged(lab: MemoryLab) -> None:
    """One record for each datum; the summary's first parent is the pushed commit."""
    pushed = lab.push(TWO)
    lab.settle()
    first, second = parents(lab)

    assert first == pushed
    assert record(lab, second)["outputs"] == ["copy/in-b.txt"]
    assert parents(lab, parents(lab, second)[0]) == (pushed,)
    assert lab.log()[0] == "copy: 2 of 2 datums changed"
    assert lab.trailers() == {"Tea-Pipeline": "copy", "Tea-Input": pushed}


def test_removed_datums_are_in_the_title(lab: MemoryLab) -> None:
    """A commit without a record has one parent."""
    lab.push(TWO)
    lab.settle()
    pushed = lab.push({"raw/b": None})
    lab.settle()

    assert lab.log()[0] == "copy: 0 of 1 datums changed, 1 removed"
    assert parents(lab) == (pushed,)


def test_a_commit_depends_on_its_inputs_only(lab: MemoryLab) -> None:
    """Another planner makes the same id; author and date come from settings and tip."""
    commits = []
    for each in (lab, MemoryLab()):
        each.push(TWO)
        each.settle()
        commits.append(each.tip())
    raw = (lab.dataset.objects.raw(lab.tip(), "commit") or b"").decode()

    assert commits[0] == commits[1]
    assert f"\nauthor {WHO} {lab.seconds} +0000\ncommitter {WHO} {lab.seconds} +0000\n" in raw


def test_trailers_name_the_push_through_a_chain(lab: MemoryLab) -> None:
    """The second results commit stands upon the first, and both name the person's commit."""
    pushed = lab.push(CHAIN)
    lab.settle()
    first = parents(lab)[0]

    assert [lab.trailers(c)["Tea-Pipeline"] for c in (lab.tip(), first)] == ["sum", "copy"]
    assert [lab.trailers(c)["Tea-Input"] for c in (lab.tip(), first)] == [pushed, pushed]


@pytest.mark.parametrize("message", ["x\n\nTea-Input: {}\n", "x\n\nTea-Input: nonsense\n"])
def test_a_trailer_that_a_person_wrote_is_not_believed(lab: MemoryLab, message: str) -> None:
    """Only results commits of the same push lead to its origin."""
    first = lab.push(ONE)
    second = lab.push({"README": "1"}, message="words\n")
    third = lab.push({"README": "2"}, message=message.format(first))
    lab.settle()

    assert second != first
    assert lab.trailers()["Tea-Input"] == third


def test_outputs_keep_their_kind(lab: MemoryLab) -> None:
    """Executable, symlink and annexed file stay what the command wrote."""
    lab.push(ONE)
    outputs: dict[str, Content] = {
        "x/run": Executable("#!/bin/sh\n"),
        "x/link": Symlink("run"),
        "data": Annexed("big"),
        "plain": "text",
    }
    lab.settle(command=lambda *_: outputs)
    made = lab.entries("copy")

    assert {path: made[path].mode for path in outputs} == {
        "x/run": EXECUTABLE,
        "x/link": LINK,
        "data": LINK,
        "plain": 0o100644,
    }
    assert lab.files("copy")["data"].startswith("../.git/annex/objects/")


def test_output_path_puts_each_datum_in_its_directory(lab: MemoryLab) -> None:
    """The template's captures come from the glob."""
    source = pfs(glob="/(*).csv")
    files = {"raw/a.csv": "1", "raw/b.csv": "2"}
    lab.push({**files, "copy/spec.yml": spec("copy", source, output={"path": "by/$1"})})
    lab.settle(command=lambda *_: {"out": "same"})

    assert lab.files("copy") == {"by/a/out": "same", "by/b/out": "same"}


def test_a_datum_that_moves_is_not_computed_again(lab: MemoryLab) -> None:
    """Another ``output.path`` moves its files, with the known result."""
    source = pfs(glob="/(*).csv")
    lab.push({"raw/a.csv": "1", "copy/spec.yml": spec("copy", source, output={"path": "x/$1"})})
    lab.settle(command=lambda *_: {"out": "same"})
    lab.push({"copy/spec.yml": spec("copy", source, output={"path": "y/$1"})})
    _, computed = lab.settle(command=lambda *_: {"out": "same"})

    assert computed == []
    assert lab.files("copy") == {"y/a/out": "same"}


def test_the_dataset_view_records_plain_shell(lab: MemoryLab) -> None:
    """``view: dataset``: stock ``datalad rerun`` repeats it without tea-runner."""
    source = pfs(glob="/(*).txt")
    more = {"view": "dataset", "outputs": ["$1.out"]}
    files = {"raw/a.txt": "1", "raw/b.txt": "2"}
    command = spec("copy", source, cmd=["cp", "{inputs}", "{outputs}"], **more)
    lab.push({**files, "copy/spec.yml": command})
    lab.settle(command=lambda label, _: {f"{label[3]}.out": "x"})
    second = parents(lab)[1]

    assert record(lab, second)["cmd"] == "cp raw/b.txt copy/b.out"


def test_annexed_code_and_image_are_inputs_of_the_record(lab: MemoryLab) -> None:
    """``datalad rerun`` gets their content first."""
    config = '[datalad "containers.tool"]\n\timage = img.sif\n\tcmdexec = {img} {cmd}\n'
    lab.push(
        {
            **ONE,
            ".datalad/config": f'[datalad "dataset"]\n\tid = 1234\n{config}',
            "img.sif": Annexed("image"),
            "code/table": Annexed("table"),
            "code/text": "x",
            "copy/spec.yml": spec("copy", transform={"image": "tool"}),
        }
    )
    lab.settle()

    assert record(lab)["extra_inputs"] == ["code/table", "img.sif"]
    assert record(lab)["dsid"] == "1234"


def test_a_large_manifest_is_in_pieces(lab: MemoryLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of one datum writes the head and one piece; shrinking makes it one file again."""
    monkeypatch.setattr(manifests, "MAX_SINGLE_ROWS", 8)
    monkeypatch.setattr(manifests, "PIECE", 2)
    sets = {"datum_set_spec": {"number": 50}}
    files: dict[str, Content] = {f"raw/{n:02}": str(n) for n in range(16)}
    lab.push({**files, "copy/spec.yml": spec("copy", **sets)})
    lab.settle()
    before = pieces(lab)
    assert len(before) > 4
    assert lab.advance().ended
    lab.push({"raw/03": "other"})
    assert lab.settle()[1] == ["in:03"]
    after = pieces(lab)

    assert len([path for path in before if before[path] != after[path]]) == 1
    lab.push(dict.fromkeys(list(files)[4:]))
    assert lab.settle()[1] == []
    assert pieces(lab) == {}
    assert len(lab.files("copy")) == 4


def pieces(lab: MemoryLab) -> dict[str, str]:
    """Files of the manifest's pieces with their blobs."""
    return {path: entry.oid for path, entry in lab.entries("copy/manifest.d").items()}


def test_a_damaged_manifest_counts_as_absent(lab: MemoryLab) -> None:
    """Its outputs are files of a user then: the command sees them, and they are not overwritten."""
    lab.push(TWO)
    lab.settle()
    lab.push({"copy/manifest.tsv": "nonsense"})
    done, _ = lab.settle()

    assert done.pipelines["copy"].state == "failed"
    assert "in-a.txt" in done.pipelines["copy"].detail


# -- the location log ------------------------------------------------------------------------


def annexed(label: str, key: str) -> dict[str, Content]:
    """Write one annexed file."""
    return {output_of(label): Annexed(f"made with {key}")}


def stored_keys(lab: MemoryLab) -> list[str]:
    """Annex keys of the results, by path."""
    return [target.rpartition("/")[2] for target in lab.files("copy").values()]


def test_stored_content_is_logged_in_the_same_push(lab: MemoryLab) -> None:
    """Branch and ``git-annex`` move together or not at all."""
    lab.push(ONE)
    lab.settle(command=annexed)
    (key,) = stored_keys(lab)
    moved = [ref for ref, _, _ in lab.dataset.published[1]]

    assert location_log(lab, key) == f"{lab.seconds}s 1 {lab.dataset.storage}\n"
    assert moved == ["refs/heads/main", "refs/heads/git-annex"]


def test_a_log_that_says_so_already_is_left(lab: MemoryLab) -> None:
    """The ``git-annex`` branch gets no commit then."""
    lab.push(ONE)
    lab.settle(command=annexed)
    before = lab.tip("git-annex")
    lab.push({"raw/a": "other"})
    lab.settle()
    lab.push({"raw/a": "one"})
    lab.settle(command=annexed)

    assert lab.tip("git-annex") == before


def test_an_unknown_place_is_added_to_the_log(lab: MemoryLab) -> None:
    """Lines of other repositories stay."""
    lab.push(ONE)
    lab.advance()
    lab.work(annexed)
    key = Annexed(f"made with {lab.plan().plan.pipelines[0].decisions[0].key}").key
    lab.push({log_path(key): "1s 1 another\n"}, branch="git-annex", parent=None)
    lab.advance()

    assert location_log(lab, key).splitlines() == [
        f"{lab.seconds - 100}s 1 {lab.dataset.storage}",
        "1s 1 another",
    ]


def test_git_annex_moving_meanwhile_publishes_nothing_until_planned_again(lab: MemoryLab) -> None:
    """Neither ref moves; the same call makes the commit again upon the new tips."""
    lab.push(ONE)
    lab.advance()
    lab.work(annexed)
    lab.dataset.before_publish.append(lambda: lab.push({"other.log": "x"}, branch="git-annex"))
    done = lab.advance()

    assert done.ended
    assert lab.log("git-annex") == ["tea-runner: results are in storage", "change"]


def test_a_clone_publishes_what_its_location_log_knows(lab: MemoryLab) -> None:
    """Content may be elsewhere than in the clone; without such a line it is computed again."""
    lab.push(ONE)
    lab.settle(command=annexed)
    lab.push({"raw/a": "other"})
    lab.settle(command=annexed)
    lab.push({"raw/a": "one"})
    lab.dataset.is_clone = True
    lab.dataset.content.clear()

    assert lab.settle(command=annexed)[1] == []
    del lab.dataset.forge["refs/heads/git-annex"]
    lab.push({"raw/a": "other"})
    assert lab.settle(command=annexed)[1] == ["in:a"]


def test_no_storage_is_a_failure_of_the_world(lab: MemoryLab) -> None:
    """Results without annexed files need none."""
    lab.push(ONE)
    lab.dataset.storage = ""
    lab.settle()
    lab.push({"raw/a": "other"})
    lab.advance()
    lab.work(annexed)

    with pytest.raises(OutsideError, match="there is no storage"):
        lab.advance()


def test_a_results_commit_is_signed_where_there_is_a_key() -> None:
    """Only the last of a chain: its signature covers the ids of its parents."""
    lab = MemoryLab(MemoryDataset(sign=lambda _: b"a signature\n"))
    lab.push(TWO)
    lab.settle()
    raw = [lab.dataset.objects.raw(c, "commit") or b"" for c in (lab.tip(), parents(lab)[1])]

    assert [b"gpgsig a signature" in data for data in raw] == [True, False]
