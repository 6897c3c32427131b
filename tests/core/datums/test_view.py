"""Views: paths of a command's files, and hidden names."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tea_runner.core.datums.content_identity import Content
from tea_runner.core.datums.datum import Datum, Entry
from tea_runner.core.datums.environment_variables import variables
from tea_runner.core.datums.file_fact import FileFact
from tea_runner.core.datums.input_listing import Listing
from tea_runner.core.datums.view import Source, View, ViewFile, make_view, view_maker
from tea_runner.core.pipeline import Combined, Pfs, Pipeline, Transform

FILES = {"s1/t1.nii.gz": "1", "s1/log": "2", "s2/t1.nii.gz": "1", "s2/log": "2", "one.nii.gz": "3"}
LEAF = Pfs(name="in", repo="raw", glob="/*")
PIPELINE = Pipeline(
    name="up",
    home="up",
    spec_path="up/spec.yml",
    spec_blob="b10b",
    transform=Transform(cmd=("x",), env=(("A", "1"),)),
    input=LEAF,
)
HIDDEN = replace(PIPELINE, output_path="$1")


def fact(path: str) -> FileFact:
    """What git knows of a file."""
    return FileFact(False, Content("MD5", 1, FILES[path] * 32), None, "0" * 40)


SOURCE = Source(prefix="raw", listing=Listing(sorted(FILES)), fact=fact, commit="c" * 40)


def entry(path: str, *, is_dir: bool = False, number: int = 0, name: str = "in") -> Entry:
    """A match."""
    return Entry(number, name, path, is_dir, ("/" + path, path), join_on="j", group_by="g")


def view(pipeline: Pipeline, *entries: Entry) -> View:
    """What the datum's command sees."""
    return make_view(pipeline, Datum(entries), (SOURCE, SOURCE))


def test_a_file_stands_at_its_own_path_below_its_input() -> None:
    """Names are visible: path, variables of join and group."""
    seen = view(PIPELINE, entry("one.nii.gz"))

    assert ["in/one.nii.gz"] == [shown.visible for shown in seen.files]
    assert {"in": "in/one.nii.gz"} == seen.paths
    assert {"PACH_DATUM_in_JOIN_ON": "j", "PACH_DATUM_in_GROUP_BY": "g"} == seen.variables


def test_a_directory_comes_with_all_below_it() -> None:
    """Every file of the directory, in byte order, and the directory itself as the place."""
    seen = view(PIPELINE, entry("s1", is_dir=True))

    assert ["in/s1/log", "in/s1/t1.nii.gz"] == [shown.visible for shown in seen.files]
    assert {"in": "in/s1"} == seen.paths


def test_hidden_names_leave_the_extension_alone() -> None:
    """``datum.nii.gz`` for a file, ``datum/…`` for a directory; nothing tells the subject."""
    file, folder = view(HIDDEN, entry("one.nii.gz")), view(HIDDEN, entry("s1", is_dir=True))

    assert ["in/datum.nii.gz"] == [shown.visible for shown in file.files]
    assert ["in/datum/log", "in/datum/t1.nii.gz"] == [shown.visible for shown in folder.files]
    assert {} == file.variables
    assert folder.inputs == view(HIDDEN, entry("s2", is_dir=True)).inputs


def test_several_hidden_entries_are_counted_in_the_order_of_their_content() -> None:
    """The same contents under other names, in another order, are the same view."""
    group = replace(HIDDEN, input=Combined(kind="group", inputs=(LEAF,)))
    one = view(group, entry("s1/log"), entry("s1/t1.nii.gz"))
    two = view(group, entry("s2/t1.nii.gz"), entry("s2/log"))

    assert one.inputs == two.inputs
    assert {"in/datum-1.nii.gz", "in/datum-2"} == {shown.visible for shown in one.files}


def test_view_dataset_keeps_the_datasets_paths() -> None:
    """DataLad style: files stand where they stand in the dataset."""
    seen = view(replace(PIPELINE, view="dataset"), entry("s1", is_dir=True))

    assert ["raw/s1/log", "raw/s1/t1.nii.gz"] == [shown.visible for shown in seen.files]


def test_empty_files_have_identities_of_their_own() -> None:
    """Neither that of an empty file nor that of the content that they stand for."""
    seen = view(replace(PIPELINE, input=replace(LEAF, empty_files=True)), entry("s1/log"))

    assert [Content("EMPTY-MD5", 1, "2" * 32)] == [file.content for file in seen.inputs[0].files]


def test_empty_files_of_view_dataset_have_no_content() -> None:
    """No output can be a link to them, so the content is not in the key."""
    names = replace(PIPELINE, input=replace(LEAF, empty_files=True), view="dataset")

    assert [None] == [file.content for file in view(names, entry("s1/log")).inputs[0].files]


def environment(pipeline: Pipeline, path: str) -> dict[str, str]:
    """The command's variables."""
    datum = Datum((entry(path),))
    return variables(
        pipeline,
        datum,
        make_view(pipeline, datum, (SOURCE,)),
        (SOURCE,),
        key="k" * 64,
        job="j",
        commit="c",
        pfs="/pfs",
        dataset="/dataset",
    )


def test_variables_have_pachyderms_names() -> None:
    """Inputs by name, their commits, the datum's id, and what the pipeline declares, last."""
    found = environment(PIPELINE, "one.nii.gz")

    assert "/pfs/in/one.nii.gz" == found["in"]
    assert ("c" * 40, "up", "j", "1") == (
        found["in_COMMIT"],
        found["PPS_PIPELINE_NAME"],
        found["PACH_JOB_ID"],
        found["A"],
    )
    assert Datum((entry("one.nii.gz"),)).id == found["PACH_DATUM_ID"]
    assert ("k" * 32, "b10b", "default") == (
        found["FILESET_ID"],
        found["PPS_SPEC_COMMIT"],
        found["PPS_NAMESPACE"],
    )
    home = replace(PIPELINE, transform=Transform(cmd=("x",), env=(("HOME", "/x"),)))
    assert "/x" == environment(home, "one.nii.gz")["HOME"]


def test_variables_do_not_tell_hidden_names() -> None:
    """Two subjects with the same content have the same variables, down to the last."""
    assert environment(HIDDEN, "s1/log") == environment(HIDDEN, "s2/log")
    assert not [value for value in environment(HIDDEN, "s1/log").values() if "s1" in value]


@given(st.sampled_from(["one.nii.gz", "s1/log"]), st.booleans(), st.booleans())
def test_the_short_way_for_single_files_makes_the_same_view(
    path: str, empty_files: bool, in_dataset: bool
) -> None:
    """The inputs do not depend on whether the list of files is requested, too."""
    pipeline = replace(
        PIPELINE,
        input=replace(LEAF, empty_files=empty_files),
        view="dataset" if in_dataset else "pfs",
    )
    maker = view_maker(pipeline, (SOURCE, SOURCE))
    files: list[ViewFile] = []
    datum = Datum((entry(path),))
    assert maker(datum, files) == maker(datum, None)
    assert [path] == [file.path for file in files]
