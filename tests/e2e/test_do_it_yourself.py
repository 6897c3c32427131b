"""The commands that pages and the terminal give for one's own computer, run word for word."""

from __future__ import annotations

import html
import re
import time
from pathlib import Path

import pytest

from tea_runner.core.planning.run import Run
from tea_runner.host import process
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, pfs, spec
from tests.e2e.test_across_datasets import Group
from tests.gitea import Gitea
from tests.web.browser import make_client

_BLOCK = re.compile(r'<pre class="commands"[^>]*>(.*?)</pre>', re.DOTALL)
RAW = {"raw/a.txt": "a\n", "raw/b c.txt": "b\n"}
ANNEXED = {
    ".gitattributes": ATTRIBUTES[".gitattributes"]
    + "up/** annex.largefiles=anything\nspec.yml annex.largefiles=nothing\n"
}


def block(lab: Lab, job: str) -> str:
    """The commands of a job's page."""
    page = make_client(lab.site()).get(f"/jobs/{job}").get_data(as_text=True)
    (found,) = _BLOCK.findall(page)
    return html.unescape(re.sub(r"<[^>]*>", "", found)) + "\n"


def follow(lab: Lab, commands: str, folder: Path, code: int = 0, **variables: str) -> str:
    """Run commands as a stranger: an empty home, an empty folder, nothing configured."""
    home = folder.with_name(folder.name + "-home")
    home.mkdir()
    folder.mkdir()
    env = {"PATH": lab.env["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", **variables}
    done = process.run(["bash", "-e", "-c", commands], env=env, cwd=folder, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert code == done.returncode, f"{commands}\n{said}"
    return said


def jobs(run: Run | None) -> list[str]:
    """The jobs of a run's only pipeline."""
    assert run is not None
    assert "settled" == run.state, run
    return list(run.pipelines[0].jobs)


@pytest.mark.long
@pytest.mark.parametrize("annexed", [True, False], ids=["annexed", "in git"])
def test_the_commands_of_a_jobs_page_make_the_same_bytes(lab: Lab, annexed: bool) -> None:
    """Word for word, in an empty home and folder: the storage is enabled, and the command runs."""
    attributes = ANNEXED if annexed else ATTRIBUTES
    lab.create(files={**attributes, **RAW, "up/spec.yml": spec("up", COPY)})
    lab.push()
    made = jobs(lab.settle())
    assert 2 == len(made)

    texts = {}
    for number, job in enumerate(made):
        there = lab.root / f"stranger{number}"
        said = follow(lab, block(lab, job), there)
        assert "run(ok)" in said
        assert "" == lab.git("status", "--porcelain", cwd=there / "data")
        found = (there / "data/up").glob("*.txt")
        texts.update({path.name: path.read_text() for path in found if path.exists()})
    assert {"a.txt": "a\n", "b c.txt": "b\n"} == texts


@pytest.mark.long
def test_the_commands_for_unpublished_results_run_the_datums_of_the_job(lab: Lab) -> None:
    """A job that is done, while another one failed: its page leads to the same bytes, and to no others."""
    failing = 'test ! -e "$PFS/in/b c.txt"; ' + COPY
    lab.create(files={**ANNEXED, **RAW, "up/spec.yml": spec("up", failing, datum_tries=1)})
    lab.push()
    run = lab.settle()
    assert run is not None
    assert "failed" == run.state
    facts = lab.site().jobs.facts(run.pipelines[0].jobs)
    (done,) = [name for name, job in facts.items() if job.state == "done"]
    (failed,) = [name for name, job in facts.items() if job.state == "failed"]

    there = lab.root / done
    follow(lab, block(lab, done), there)
    assert ["a.txt", "spec.yml"] == sorted(each.name for each in (there / "data/up").iterdir())
    assert "a\n" == (there / "data/up/a.txt").read_text()
    there = lab.root / failed
    said = follow(lab, block(lab, failed), there, code=1)
    assert "the command exited 1" in said
    assert ["spec.yml"] == [each.name for each in (there / "data/up").iterdir()]


@pytest.mark.long
def test_the_commands_for_unpublished_results_have_those_of_other_pipelines(lab: Lab) -> None:
    """They begin at the commit that the job looked at, with what the pipeline before it made."""
    failing = 'test ! -e "$PFS/in/b c.txt"; ' + COPY
    lab.create(
        files={
            **ANNEXED,
            **RAW,
            "up/spec.yml": spec("up", COPY),
            "down/spec.yml": spec("down", failing, pfs("up"), datum_tries=1),
        }
    )
    lab.push()
    run = lab.settle()
    assert run is not None
    (row,) = [each for each in run.pipelines if each.name == "down"]
    facts = lab.site().jobs.facts(row.jobs)
    (done,) = [name for name, job in facts.items() if job.state == "done"]
    there = lab.root / done
    follow(lab, block(lab, done), there)
    assert "a\n" == (there / "data/down/a.txt").read_text()


@pytest.mark.long
def test_the_commands_enable_the_storages_of_subdatasets(lab: Lab) -> None:
    """An annexed input in a subdataset is got from the storage of that dataset."""
    group = Group(lab)
    lab.create(files=ANNEXED)
    for name in ("other", "sub"):
        group.make(name)
        group.write(name, {**ATTRIBUTES, **RAW})
        group.push(name)
        url = (group.forge / "lab" / f"{name}.git").as_uri()
        lab.do("git", "-c", "protocol.file.allow=always", "submodule", "-q", "add", url, name)
    lab.write({"up/spec.yml": spec("up", COPY, pfs("sub/raw"))})
    lab.save()
    lab.push()
    there = lab.root / "stranger"
    said = follow(lab, block(lab, jobs(lab.settle())[0]), there)
    assert "run(ok)" in said
    assert (there / "data/sub/.git").exists()
    assert not (there / "data/other/.git").exists()
    assert "" == lab.git("status", "--porcelain", cwd=there / "data")


@pytest.mark.gitea
def test_the_commands_for_a_private_repository_ask_for_a_name_and_a_token(
    tmp_path: Path, gitea: Gitea
) -> None:
    """On a real Gitea: git asks the stranger who may read, and all else is as in public."""
    name = gitea.repository(f"own-{time.time_ns()}", private=True)
    root = tmp_path / "lab"
    root.mkdir()
    lab = Lab(root, forge=gitea.as_bot(root), push_url=gitea.push_url(name), name=name)
    asked = root / "answer"
    asked.write_text(
        f'#!/bin/sh\ncase "$1" in User*) echo {gitea.owner};; *) echo {gitea.owner_token};; esac\n'
    )
    asked.chmod(0o700)
    try:
        lab.create(files={**ANNEXED, **RAW, "up/spec.yml": spec("up", COPY)})
        lab.push()
        job = jobs(lab.settle())[0]
        commands = block(lab, job)
        refused = follow(lab, commands, root / "nobody", code=128, GIT_TERMINAL_PROMPT="0")
        assert "could not read Username" in refused
        there = root / "stranger"
        assert "run(ok)" in follow(lab, commands, there, GIT_ASKPASS=str(asked))
    finally:
        lab.close()
    clone = there / name.rpartition("/")[2]
    assert "" == lab.git("status", "--porcelain", cwd=clone)
    found = [path.read_text() for path in (clone / "up").glob("*.txt") if path.exists()]
    assert len(found) == 1
    assert found[0] in RAW.values()
