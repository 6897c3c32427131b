"""Which changes of files change a key, and which do not."""

from __future__ import annotations

from tests.twins.files import Annexed, Executable
from tests.twins.lab import MemoryLab
from tests.twins.plans import TWO, plan_of, reasons
from tests.twins.specs import pfs, spec


def test_content_decides_in_whatever_form_it_is_kept(lab: MemoryLab) -> None:
    """In git, locked, unlocked, or with another extension: the key is the same."""
    lab.push({".gitattributes": "* annex.backend=MD5E\n", **TWO})
    lab.settle()
    for form in (Annexed("one"), Annexed("one", unlocked=True), Annexed("one", backend="MD5")):
        lab.push({"raw/a": form})
        assert reasons(lab)["in:a"] == ("current", "current")


def test_the_executable_bit_is_content(lab: MemoryLab) -> None:
    """Commands may run their inputs."""
    lab.push(TWO)
    lab.settle()
    lab.push({"raw/a": Executable("one")})

    assert reasons(lab)["in:a"] == ("run", "input-changed")


def test_a_large_file_in_git_is_known_by_its_blob(lab: MemoryLab) -> None:
    """Its content is not read, and a change is seen."""
    lab.push({**TWO, "raw/a": "x" * 40_000})
    lab.settle()
    lab.push({"raw/a": "y" * 40_000})

    assert reasons(lab) == {"in:a": ("run", "input-changed"), "in:b": ("current", "current")}


def test_a_datum_of_a_folder_holds_all_files_below(lab: MemoryLab) -> None:
    """A change deep below changes it."""
    lab.push({"raw/s/x/1": "1", "raw/s/2": "2", "copy/spec.yml": spec("copy")})
    lab.settle()
    lab.push({"raw/s/x/1": "3"})

    assert reasons(lab) == {"in:s/": ("run", "input-changed")}


def test_git_files_and_other_homes_are_no_data(lab: MemoryLab) -> None:
    """``.gitattributes`` and results are left out of an input that holds them."""
    lab.push(
        {
            ".gitattributes": "* annex.backend=MD5E\n",
            ".datalad/config": "x",
            "sub/a": "1",
            "copy/spec.yml": spec("copy", pfs(".", "/**")),
            "other/spec.yml": spec("other", pfs("sub")),
        }
    )

    files = {label for label in reasons(lab) if not label.endswith("/")}
    assert files == {"in:sub/a"}


def test_an_input_of_names_only_counts_with_its_content(lab: MemoryLab) -> None:
    """``empty_files``: a link to the file is an output with its content, so that is in the key."""
    lab.push({**TWO, "copy/spec.yml": spec("copy", pfs(empty_files=True))})
    lab.settle()
    lab.push({"raw/a": "changed", "raw/c": "new"})

    assert [d.label for d in plan_of(lab).to_run] == ["in:a", "in:c"]


def test_names_alone_count_at_the_paths_of_the_dataset(lab: MemoryLab) -> None:
    """``view: dataset`` has no links to inputs, so other content is the same key there."""
    names = spec("copy", pfs(empty_files=True), view="dataset", outputs=["$1"])
    lab.push({**TWO, "copy/spec.yml": names})
    lab.settle()
    lab.push({"raw/a": "changed", "raw/c": "new"})

    assert [d.label for d in plan_of(lab).to_run] == ["in:c"]


def test_propagation_never_starts_nothing(lab: MemoryLab) -> None:
    """A change of that input alone leaves results; the next other change sees it."""
    source = {
        "cross": [pfs(name="in"), pfs("table", "/", name="t", propagation_spec={"never": True})]
    }
    lab.push({**TWO, "table/t": "1", "copy/spec.yml": spec("copy", source)})
    lab.settle()
    lab.push({"table/t": "2"})

    assert plan_of(lab).state == "settled"
    lab.push({"raw/a": "new"})
    assert [d.label for d in plan_of(lab).to_run] == ["in:a t:/", "in:b t:/"]


def test_reprocess_every_job_runs_with_every_push(lab: MemoryLab) -> None:
    """The pushed commit is in the keys; the results commit is no push."""
    lab.push({**TWO, "copy/spec.yml": spec("copy", reprocess_spec="every_job")})
    assert len(lab.settle()[1]) == 2
    assert plan_of(lab).state == "settled"
    lab.push({"README": "unrelated"})

    assert set(reasons(lab).values()) == {("run", "parameters-changed")}


def test_an_image_in_the_dataset_is_known_by_its_content(lab: MemoryLab) -> None:
    """A datalad-container is the environment; the same bytes elsewhere are the same one."""
    config = '[datalad "containers.tool"]\n\timage = img/{}\n\tcmdexec = run {{img}} {{cmd}}\n'
    lab.push(
        {
            **TWO,
            ".datalad/config": config.format("a.sif"),
            "img/a.sif": Annexed("image"),
            "copy/spec.yml": spec("copy", transform={"image": "tool"}),
        }
    )
    lab.settle()
    lab.push(
        {
            ".datalad/config": config.format("b.sif"),
            "img/b.sif": Annexed("image"),
            "img/a.sif": None,
        }
    )
    assert plan_of(lab).state == "settled"
    lab.push({"img/b.sif": Annexed("another")})

    assert set(reasons(lab).values()) == {("run", "environment-changed")}


def test_declared_code_is_what_its_globs_name(lab: MemoryLab) -> None:
    """Files beside the pipeline file no longer count then."""
    lab.push(
        {
            **TWO,
            "copy/spec.yml": spec("copy", transform={"code": ["/tools/*.py"]}),
            "tools/a.py": "1",
            "copy/beside.py": "1",
        }
    )
    lab.settle()
    lab.push({"copy/beside.py": "2"})
    assert plan_of(lab).state == "settled"
    lab.push({"tools/a.py": "2"})

    assert set(reasons(lab).values()) == {("run", "code-changed")}


def test_results_beside_the_pipeline_file_are_no_code(lab: MemoryLab) -> None:
    """Outputs stand in the same folder, and change no key of their own pipeline."""
    lab.push(TWO)
    lab.settle()
    (code,) = {work.code for work in lab.plan().works.values()}

    assert code == ()
    assert set(lab.files("copy")) == {"in-a.txt", "in-b.txt"}


def test_a_home_without_pipeline_file_names_gives_the_root(lab: MemoryLab) -> None:
    """A pipeline file at the top writes its results at the top."""
    lab.push({"raw/a": "1", "spec.yml": spec("top")})
    lab.settle()

    assert "in-a.txt" in lab.files()
    assert plan_of(lab, "top").state == "settled"
