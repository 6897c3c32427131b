"""Superdatasets: subdatasets inside of an input, of code, and of an image are read as folders are."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tea_runner.core.errors import Refused, UserError
from tea_runner.core.git.submodules import Submodule
from tea_runner.flow import nested_datasets
from tea_runner.flow.commit_reader import CommitReader, open_commit
from tea_runner.flow.incremental_planner import IncrementalPlanner
from tea_runner.flow.make_plan import make_plan
from tea_runner.flow.pipeline_datums import PipelineInputs, derive_inputs
from tests.flow.test_incremental import facts
from tests.twins.dataset import MemoryDataset
from tests.twins.files import Annexed, Content, Gitlink, Symlink
from tests.twins.lab import MemoryLab
from tests.twins.plans import plan_of, reasons
from tests.twins.queries import check
from tests.twins.specs import gitmodules, pfs, spec
from tests.twins.subdatasets import MemorySubdatasets


class Group:
    """A superdataset and its subdatasets ``lab/NAME``."""

    def __init__(self, lab: MemoryLab, *names: str) -> None:
        self.lab = lab
        self.subs = {name: MemoryLab(MemoryDataset(f"lab/{name}")) for name in names}
        for one in self.subs.values():
            one.dataset.subdatasets = self._all()
        lab.dataset.subdatasets = self.opened = self._all()

    def _all(self) -> CountedSubdatasets:
        return CountedSubdatasets(*(each.dataset for each in self.subs.values()))

    def put(self, name: str, files: Mapping[str, Content | None]) -> Gitlink:
        """Commit files of a subdataset; the gitlink that pins it."""
        return Gitlink(self.subs[name].push(files))

    def push(self, modules: Mapping[str, str], files: Mapping[str, Content | None]) -> None:
        """Commit files of the superdataset; *modules* are paths and names of subdatasets."""
        text = gitmodules(**{path: f"../{name}" for path, name in modules.items()})
        self.lab.push({".gitmodules": text, **files})

    def inputs(self, name: str = "use") -> PipelineInputs:
        """The inputs of a pipeline at the tip."""
        view = self.lab.view()
        (pipeline,) = (each for each in view.pipelines if each.name == name)
        return derive_inputs(view, pipeline)

    def keys(self, name: str = "use") -> dict[str, str]:
        """Label to key."""
        return {item.label: item.key for item in self.inputs(name).keyed}

    def seen(self, name: str = "use") -> dict[str, list[str]]:
        """Label to the visible paths of its files."""
        inputs = self.inputs(name)
        return {each.label: [f.visible for f in inputs.view(each).files] for each in inputs.datums}


class CountedSubdatasets(MemorySubdatasets):
    """Subdatasets that count what is opened."""

    def __init__(self, *datasets: MemoryDataset) -> None:
        super().__init__(*datasets, own="lab/data")
        self.asked: list[str] = []

    def dataset(self, submodule: Submodule, commit: str) -> MemoryDataset:
        """The subdataset, noted by its path."""
        self.asked.append(submodule.path)
        return super().dataset(submodule, commit)


@pytest.fixture
def group(lab: MemoryLab) -> Group:
    """Two subjects as subdatasets of ``raw``, of which one has a session as a subdataset."""
    made = Group(lab, "one", "two", "deep", "tool", "images")
    deep = made.put("deep", {"d.nii": "deep"})
    one = made.put("one", {"t1.nii": "one", ".gitattributes": "* -text\n", ".datalad/config": "x"})
    two = {".gitmodules": gitmodules(ses="../deep"), "ses": deep, "t1.nii": Annexed("two")}
    made.push(
        {"raw/sub-1": "one", "raw/sub-2": "two"},
        {
            "raw/participants.tsv": "p",
            "raw/sub-1": one,
            "raw/sub-2": made.put("two", two),
            "use/spec.yml": spec("use", pfs("raw", "/*")),
        },
    )
    return made


def test_subdatasets_are_datums_beside_files_and_folders(group: Group) -> None:
    """All of their data files, at any depth; no files of git or DataLad."""
    assert {
        "in:participants.tsv": ["in/participants.tsv"],
        "in:sub-1/": ["in/sub-1/t1.nii"],
        "in:sub-2/": ["in/sub-2/ses/d.nii", "in/sub-2/t1.nii"],
    } == group.seen()


@pytest.mark.parametrize(
    ("repo", "glob", "labels", "opened"),
    [
        ("raw", "/(sub-*)", ["in:sub-1/", "in:sub-2/"], ["raw/sub-1", "raw/sub-2", "ses"]),
        ("raw", "/*.tsv", ["in:participants.tsv"], []),
        ("raw", "/sub-1/*", ["in:sub-1/t1.nii"], ["raw/sub-1"]),
        (
            "raw",
            "/sub-*/t1.nii",
            ["in:sub-1/t1.nii", "in:sub-2/t1.nii"],
            ["raw/sub-1", "raw/sub-2"],
        ),
        ("raw", "/**.nii", ["in:sub-1/t1.nii", "in:sub-2/ses/d.nii", "in:sub-2/t1.nii"], None),
        ("raw", "/", ["in:/"], None),
        ("/", "/raw", ["in:raw/"], None),
        ("raw/sub-2", "/*", ["in:ses/", "in:t1.nii"], None),
    ],
)
def test_globs_open_the_subdatasets_that_they_reach(
    group: Group, repo: str, glob: str, labels: list[str], opened: list[str] | None
) -> None:
    """No other one: a large superdataset need not be there as a whole."""
    group.lab.push({"use/spec.yml": spec("use", pfs(repo, glob))})
    counted = (group.opened, group.subs["two"].dataset.subdatasets)

    assert sorted(labels) == sorted(group.keys())
    if opened is not None:
        asked = {path for each in counted for path in each.asked}  # type: ignore[union-attr]
        assert set(opened) == asked


def test_a_folder_and_a_subdataset_of_the_same_files_are_the_same_datum(group: Group) -> None:
    """Whoever makes a subdataset of a folder computes nothing again."""
    before = group.keys()
    group.lab.push({".gitmodules": gitmodules(), "raw/sub-1": None})
    group.lab.push({"raw/sub-1/t1.nii": "one", "raw/sub-2": None})
    assert before["in:sub-1/"] == group.keys()["in:sub-1/"]


def test_only_the_subject_whose_pin_moved_is_computed_again(group: Group) -> None:
    """And only that subdataset is opened for it."""
    lab = group.lab
    lab.settle()
    changed = group.put("one", {"t1.nii": "changed"})
    group.opened.asked.clear()

    lab.push({"raw/sub-1": changed})

    assert {"in:sub-1/": ("run", "input-changed")} == {
        label: why for label, why in reasons(lab, "use").items() if why[0] != "current"
    }
    assert {"raw/sub-1"} == set(group.opened.asked)


def test_a_results_commit_over_subdatasets_can_be_made_again(group: Group) -> None:
    """Verification derives the same keys from the pins."""
    group.lab.settle()
    assert not check(group.lab, group.lab.tip()).problems


def test_subdatasets_that_cannot_be_read_are_all_named(group: Group) -> None:
    """None is left out in silence: its results would vanish."""
    modules = {f"raw/sub-{number}": "missing" for number in range(3, 6)}
    files: dict[str, Content | None] = {path: Gitlink("1" * 40) for path in modules}
    group.push({"raw/sub-1": "one", "raw/sub-2": "two", **modules}, files)

    plan = plan_of(group.lab, "use")

    assert plan.state == "blocked"
    assert "3 subdatasets cannot be read, for example: subdataset raw/sub-3" in plan.detail
    assert "all of them: raw/sub-3 raw/sub-4 raw/sub-5" in plan.detail


def test_one_that_gitmodules_does_not_list_is_said(group: Group) -> None:
    """git itself would not know where it is."""
    group.lab.push({"raw/stray": Gitlink("1" * 40)})
    with pytest.raises(UserError, match=r"raw/stray is a subdataset that \.gitmodules does not"):
        group.keys()


def test_endless_nesting_is_refused(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit may pin a former one of its own repository at many paths, and so on."""
    monkeypatch.setattr(nested_datasets, "_MOST", 50)
    link = group.put("deep", {"x": "x"})
    paths = {f"d{number}": "../deep" for number in range(8)}
    group.subs["deep"].dataset.subdatasets = group._all()
    for _ in range(4):
        link = group.put("deep", {".gitmodules": gitmodules(**paths), **dict.fromkeys(paths, link)})
    group.push({"raw/bomb": "deep"}, {"raw/bomb": link, "raw/sub-1": None, "raw/sub-2": None})

    with pytest.raises(Refused, match="more than 50 subdatasets"):
        group.keys()


# -- code and images -------------------------------------------------------------------------


def test_code_in_subdatasets_is_seen_and_in_the_key(group: Group) -> None:
    """YODA's ``code/NAME``, ``code`` itself, and what ``transform.code`` names elsewhere."""
    files: dict[str, Content | None] = {"run.sh": "1", ".datalad/config": "x"}
    link = group.put("tool", files)
    base = {"raw/sub-1": "one", "raw/sub-2": "two"}
    group.push({**base, "code/tool": "tool"}, {"code/tool": link, "code/own.sh": "own"})
    assert ("code/own.sh", "code/tool/run.sh") == group.inputs().code
    before = group.keys()
    group.lab.push({"code/tool": group.put("tool", {"run.sh": "2"})})
    assert not set(before.values()) & set(group.keys().values())

    group.push({**base, "code": "tool"}, {"code": link, "code/own.sh": None, "code/tool": None})
    group.lab.push({"code": link})
    assert ("code/run.sh",) == group.inputs().code

    text = spec("use", pfs("raw", "/*"), transform={"code": ["/lib/run.sh"]})
    group.push({**base, "lib": "tool"}, {"code": None, "lib": link, "use/spec.yml": text})
    assert ("lib/run.sh",) == group.inputs().code


def test_a_container_of_a_subdataset_is_an_image(group: Group) -> None:
    """``containers/NAME``, as ``datalad containers-run -n`` and ReproNim's containers have it."""
    config = '[datalad "containers.prep"]\n\timage = images/p.sif\n\tcmdexec = x\n'
    link = group.put("images", {".datalad/config": config, "images/p.sif": Annexed("sif")})
    text = spec("use", pfs("raw", "/*.tsv"), transform={"image": "containers/prep"})
    group.push({"containers": "images"}, {"containers": link, "use/spec.yml": text})

    assert "containers/images/p.sif" == group.inputs().image

    lab = group.lab
    lab.settle()
    lab.push({"containers": group.put("images", {"images/p.sif": Annexed("new")})})
    assert {"in:participants.tsv": ("run", "environment-changed")} == reasons(lab, "use")


# -- incremental -----------------------------------------------------------------------------

STEP = st.tuples(
    st.sampled_from(["raw/sub-1", "raw/sub-2", "raw/more/sub-3", "raw/a"]),
    st.sampled_from(["one", "two", "file", "folder", "gone", "change"]),
    st.sampled_from("xyz"),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEP, max_size=6), glob=st.sampled_from(["/*", "/**.nii", "/", "/*/*"]))
def test_planning_from_the_plan_before_gives_the_same(
    steps: list[tuple[str, str, str]], glob: str
) -> None:
    """Whatever is a subdataset, a folder, a file, or nothing after each step."""
    group = Group(MemoryLab(), "one", "two", "deep")
    lab = group.lab
    deep = group.put("deep", {"d.nii": "deep"})
    ses: dict[str, Content | None] = {".gitmodules": gitmodules(ses="../deep"), "ses": deep}
    links = {
        "one": group.put("one", {"t1.nii": "1", "x": "x"}),
        "two": group.put("two", {"t1.nii": "2", **ses}),
    }
    modules: dict[str, str] = {}
    group.push({}, {"raw/first.nii": "f", "use/spec.yml": spec("use", pfs("raw", glob))})
    planner = IncrementalPlanner()
    for path, what, text in steps:
        if what == "change":
            links["one"] = group.put("one", {"t1.nii": text})
            what = "one"
        files: dict[str, Content | None] = {}
        modules.pop(path, None)
        group.push(modules, {path: None, f"{path}/f.nii": None})
        if what in links:
            modules[path] = what
            files[path] = links[what]
        elif what == "file":
            files[path] = text
        elif what == "folder":
            files[f"{path}/f.nii"] = text
        group.push(modules, files)
        lab.dataset.refresh()
        found = []
        for one in (planner, None):
            view = lab.view() if one is None else _at(lab, one)
            planned = make_plan(lab.dataset, view, failures=lambda _: {}, planner=one)
            (plan,) = planned.plan.pipelines
            found.append(facts(planned, plan))
        assert found[0] == found[1]


def _at(lab: MemoryLab, planner: IncrementalPlanner) -> CommitReader:

    cache = planner.cache
    return open_commit(lab.dataset.objects, lab.tip(), cache, subdatasets=lab.dataset.subdatasets)


def test_strict_hashes_hold_for_subdatasets(group: Group) -> None:
    """Content with an unsafe hash is refused wherever it is: an input's own, or behind a link."""
    link = group.put("one", {"t1.nii": Annexed("weak", backend="MD5E")})
    group.lab.push({"raw/sub-1": link})
    for files in ({}, {"raw/sub-1": None, "raw/l": Symlink("../far/t1.nii"), "far": link}):
        modules = {"raw/sub-2": "two", ("far" if files else "raw/sub-1"): "one"}
        group.push(modules, files)
        view = group.lab.view(strict_hashes=True)
        (pipeline,) = view.pipelines
        with pytest.raises(UserError, match="only cryptographically safe hashes"):
            derive_inputs(view, pipeline)
