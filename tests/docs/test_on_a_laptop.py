"""Pages that need no server, followed in an empty home."""

from __future__ import annotations

import functools
import os
import shutil
import sysconfig
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from redis import Redis

import tea_runner
from tea_runner.broker.redis_server import RedisServer
from tests.docs.page import ROOT, Reader, follow
from tests.e2e.test_whole_way import free_port, wait_for

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is missing"),
]


def checkout(reader: Reader) -> None:
    """A clone of this repository as the working folder, with the programs in ``.venv`` made already."""
    reader.say(f"git clone -q {ROOT} checkout")
    reader.say("cd checkout")
    for name in ("made", "made-dev"):
        (reader.folder / ".venv").mkdir(exist_ok=True)
        (reader.folder / ".venv" / name).touch()
    (reader.folder / ".venv/bin").symlink_to(ROOT / ".venv/bin")


def test_the_tutorial_leads_to_results(tmp_path: Path) -> None:
    """Its numbers are those that its sentences name."""
    reader = Reader(tmp_path)
    checkout(reader)
    said = follow("docs/tutorial/first-pipeline.md", reader)

    assert "2 run" in said["tea-runner lint"]
    assert "decade/manifest.tsv" in said["tea-runner run"]
    assert said["tea-runner run"].endswith("\n4\n")
    assert "1 run" in said['echo "age=46" >raw/sub-02.txt']
    assert "working tree clean" in said["datalad rerun"]
    assert tmp_path / "ages" == reader.folder
    assert "5\n" == (tmp_path / "ages/decade/sub-02.txt").read_text()


def test_the_edges_example_runs_without_a_server(tmp_path: Path) -> None:
    """One photograph changes, and one datum runs."""
    reader = Reader(tmp_path)
    shutil.copytree(ROOT / "examples/edges", reader.folder / "edges")
    reader.say("cd edges")
    said = follow("examples/edges/README.md", reader)
    again = said["datalad unlock images/coffee.jpg"]
    assert "1 run" in again
    assert "5 current" in again


def test_a_signature_is_checked_with_openssh(tmp_path: Path) -> None:
    """The commands of the page on trust say that the signature is good, and of which manifest."""
    reader = Reader(tmp_path)
    reader.say("datalad -l error create -c text2git data && cd data && mkdir raw sums")
    text = 'sha256sum "$x" > "$PFS/out/$(basename "$x")"'
    spec = f"""\
pipeline: {{name: sums}}
input: {{pfs: {{name: x, repo: raw, glob: "/*"}}}}
transform: {{cmd: [sh, -c, '{text}']}}
"""
    (reader.folder / "sums/spec.yml").write_text(spec)
    reader.say("echo a >raw/a; datalad -l error save -m begin; tea-runner run")
    said = follow("docs/explanation/trust.md", reader)
    (words,) = said.values()
    assert 'Good "tea-results" signature' in words
    assert words.split()[-1] in (reader.folder / "statement").read_text() or "manifest" in words


def test_a_template_writes_the_pipeline_of_the_how_to(tmp_path: Path) -> None:
    """The page's own pipeline file is valid, and so is one from a template."""
    pytest.importorskip("_jsonnet")
    reader = Reader(tmp_path)
    reader.say("datalad -l error create -c text2git data && cd data && mkdir images edges count")
    reader.say("mkdir texts; printf '1\\n2\\n' >texts/a.txt")
    (reader.folder / "images/a.txt").write_text("a\n")
    (reader.folder / "edges/edges.py").write_text("print()\n")
    (reader.folder / "edges.jsonnet").write_text(
        "function(suffix, src) {pipeline: {name: 'edges-' + suffix}, "
        "input: {pfs: {repo: src, glob: '/*'}}, transform: {cmd: ['true']}}\n"
    )
    reader.say("datalad -l error save -m begin")
    written: list[str] = []

    def keep(text: str) -> str:
        home = "count" if "name: count" in text else "edges"
        (reader.folder / home / "spec.yml").write_text(text)
        written.append(reader.say("datalad -l error save -m spec; tea-runner lint"))
        return written[-1]

    follow("docs/how-to/write-a-pipeline.md", reader, between={"pipeline:": keep})
    assert 2 == len(written)
    assert ["no problems found" in said for said in written] == [True, True]
    reader.say("tea-runner run count")
    assert "2" == (reader.folder / "count/a.count").read_text().strip()
    assert (reader.folder / "edges-1/spec.json").exists()


def test_files_that_arrive_start_the_pipelines(tmp_path: Path) -> None:
    """No forge, no server: a dataset, a watch, a folder beside it, and a hook."""
    reader = Reader(tmp_path)
    reader.say("mkdir incoming; echo x >incoming/c; datalad -l error create -c text2git data")
    reader.say("cd data; mkdir raw sums")
    spec = """\
pipeline: {name: sums}
input: {pfs: {name: x, repo: raw, glob: "/*"}}
transform: {cmd: [sh, -c, 'sha256sum "$x" > "$PFS/out/$(basename "$x")"']}
"""
    (reader.folder / "sums/spec.yml").write_text(spec)
    reader.say("echo a >raw/a; datalad -l error save -m begin")
    log = tmp_path / "watch.log"

    def watch(text: str) -> str:
        reader.begin(text, log)
        wait_for(lambda: "watching: raw" in log.read_text())
        (reader.folder / "raw/b").write_text("b\n")
        wait_for(lambda: (reader.folder / "sums/b").exists())
        reader.interrupt()
        return log.read_text()

    def commit(text: str) -> str:
        said = reader.say(text)
        reader.say("echo d >raw/d; datalad -l error save -m d")
        wait_for(lambda: (reader.folder / "sums/d").exists())
        return said

    between = {"tea-runner watch": watch, "tea-runner watch install --yes": commit}
    follow("docs/how-to/run-when-files-arrive.md", reader, between=between)
    results = {path.name for path in (reader.folder / "sums").iterdir()}
    assert {"a", "b", "c", "d", "spec.yml", "manifest.tsv", "manifest.sig"} == results
    assert "" == reader.say("git status --porcelain")


def test_a_schedule_starts_the_pipeline(tmp_path: Path) -> None:
    """The first pipeline file of the page, with a time in the past; then there is nothing to do."""
    reader = Reader(tmp_path)
    reader.say("datalad -l error create -c text2git data && cd data && mkdir raw daily weather")
    written: list[str] = []

    def keep(text: str) -> str:
        home = "weather" if "name: weather" in text else "daily"
        start = 'spec: "0 3 * * *"\n    start: "2026-01-01T00:00:00Z"'
        (reader.folder / home / "spec.yml").write_text(text.replace('spec: "0 3 * * *"', start))
        written.append(reader.say("echo a >raw/log.txt; datalad -l error save -m spec"))
        return reader.say("tea-runner lint")

    said = follow("docs/how-to/run-on-a-schedule.md", reader, between={"pipeline:": keep})
    assert 2 == len(written)
    assert "next tick: daily tick " in said["tea-runner plan"]
    assert "run(ok): daily " in said["tea-runner tick"]
    assert "1 " in (reader.folder / "daily/lines.txt").read_text()


def test_a_person_starts_a_pipeline_with_a_value(tmp_path: Path) -> None:
    """The pipeline file and the command of the page; the default was computed before."""
    reader = Reader(tmp_path)
    reader.say("datalad -l error create -c text2git data && cd data && mkdir raw yearly")

    def keep(text: str) -> str:
        (reader.folder / "yearly/spec.yml").write_text(text)
        reader.say("printf '2025 a\n2026 b\n' >raw/log; datalad -l error save -m spec")
        return reader.say("tea-runner lint; tea-runner run; cat yearly/2026.txt")

    said = follow("docs/how-to/start-by-hand.md", reader, between={"pipeline:": keep})
    assert "run(ok): yearly " in said["tea-runner trigger yearly --var year=2025"]
    assert "2025 a\n" == (reader.folder / "yearly/2025.txt").read_text()


def test_a_table_is_fetched_from_the_web(tmp_path: Path) -> None:
    """The files of the page, from a server here; the record names the address."""
    reader = Reader(tmp_path)
    reader.say("datalad -l error create -c text2git data && cd data && mkdir prices")
    (tmp_path / "web").mkdir()
    (tmp_path / "web/prices.csv").write_text("item,price\nbread,2\n")

    def allow(text: str) -> str:
        file = reader.home / ".config/tea-runner/tea-runner.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        # In a sandbox this machine's own services are closed.
        return str(file.write_text(text + 'kind = "off"\n'))

    def keep(name: str) -> Callable[[str], str]:
        return lambda text: str((reader.folder / "prices" / name).write_text(text))

    def save(text: str) -> str:
        reader.say("datalad -l error save -m spec")
        return reader.say(text)

    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "web"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/prices.csv"
        reader.env["ADDRESS"] = address
        first = 'tea-runner trigger prices --var url="$ADDRESS"'
        said = follow(
            "docs/how-to/fetch-from-the-web.md",
            reader,
            between={
                "[sandbox]": allow,
                "pipeline:": keep("spec.yml"),
                "set -eu": keep("fetch.sh"),
                first: save,
            },
        )
        server.shutdown()
    assert "run(ok): prices" in said[first]
    record = said['git log -1 --format=%B --grep="^Tea-Source: "']
    assert f"Tea-Source: {address}\n" in record
    assert "item,price\nbread,2\n" == (reader.folder / "prices/prices.csv").read_text()


def test_a_pipeline_waits_for_more(tmp_path: Path) -> None:
    """The pipeline file of the page; the third commit starts it."""
    reader = Reader(tmp_path)
    reader.say("datalad -l error create -c text2git data && cd data && mkdir raw summary")

    def keep(text: str) -> str:
        (reader.folder / "summary/spec.yml").write_text(text)
        return reader.say("echo a >raw/a; datalad -l error save -m spec; tea-runner run")

    said = follow("docs/how-to/wait-for-more.md", reader, between={"pipeline:": keep})
    waits = "wait(trigger): summary  waits for 2 more commits, or "
    assert waits in said["tea-runner plan"]
    reader.say("echo b >raw/b; datalad -l error save -m b; tea-runner run")
    assert not (reader.folder / "summary/all.txt").exists()
    reader.say("echo c >raw/c; datalad -l error save -m c; tea-runner run")
    assert "a\nb\nc\n" == (reader.folder / "summary/all.txt").read_text()


def test_a_subdataset_is_an_input(tmp_path: Path) -> None:
    """The first command of the page, beside the other dataset; the pipeline reads it at its pin."""
    reader = Reader(tmp_path)
    reader.say(
        "datalad -l error create -c text2git raw; mkdir raw/subjects; echo 1 >raw/subjects/1"
    )
    reader.say("datalad -l error save -d raw -m one; datalad -l error create -c text2git mine")
    reader.say("cd mine; mkdir up")

    def keep(text: str) -> str:
        if "raw/subjects" not in text:
            return ""
        command = 'transform: {cmd: [sh, -c, \'cp -r "$PFS"/*/* "$PFS/out"\']}\n'
        (reader.folder / "up/spec.yml").write_text("pipeline: {name: up}\n" + text + command)
        said = reader.say("datalad -l error save -m spec; tea-runner lint; tea-runner run")
        assert "no problems found" in said
        return said

    follow("docs/how-to/follow-another-dataset.md", reader, between={"input:": keep})
    assert "1\n" == (reader.folder / "up/1").read_text()


def test_the_embedded_forge_takes_a_push(tmp_path: Path) -> None:
    """``tea-runner up`` in an empty home prints where to push, and results come back."""
    reader = Reader(tmp_path)
    reader.env.update(TEA_RUNNER_WEB__PORT=str(free_port()))
    log = tmp_path / "up.log"

    def start(text: str) -> str:
        reader.begin(text, log)
        return str(wait_for(lambda: "git push" in log.read_text() and log.read_text()))

    try:
        said = follow("docs/how-to/without-a-forge.md", reader, between={"tea-runner up": start})
        assert "http://" in said["tea-runner up"]
    finally:
        reader.interrupt()
    assert "Traceback" not in log.read_text()


def test_a_worker_on_another_host_works_off_the_queue(tmp_path: Path) -> None:
    """With the settings of a server whose queue is there, it is checked and starts."""
    reader = Reader(tmp_path / "home")
    broker = RedisServer(tmp_path / "redis", {"PATH": os.environ["PATH"]})
    (tmp_path / "redis").mkdir()
    (tmp_path / "forge").mkdir()
    (tmp_path / "queue.key").write_text("the key of all hosts")
    broker.start()
    file = reader.home / ".config/tea-runner/tea-runner.toml"
    file.parent.mkdir(parents=True)
    file.write_text(
        f'[redis]\nurl = "{broker.url}"\nkey_file = "{tmp_path}/queue.key"\n'
        f'[forge]\nkind = "folder"\nurl = "{tmp_path}/forge"\n'
    )
    log = tmp_path / "worker.log"

    def check_and_start(text: str) -> str:
        check, worker = text.strip().splitlines()
        said = reader.say(check)
        reader.begin(worker, log)
        wait_for(lambda: Redis.from_url(broker.url).smembers("rq:workers"))
        return said

    try:
        page = {"tea-runner check": check_and_start}
        said = follow("docs/how-to/run-workers-elsewhere.md", reader, between=page)
        assert "redis" in said["tea-runner check"]
    finally:
        reader.interrupt()
        broker.stop()
    assert "Traceback" not in log.read_text()


def test_it_is_installed_and_upgraded(tmp_path: Path) -> None:
    """From a clone, into an environment of its own; pip finds the dependencies of the tests."""
    reader = Reader(tmp_path)
    reader.env.update(
        PYTHONPATH=sysconfig.get_path("purelib"),
        PIP_NO_INDEX="1",
        PIP_NO_BUILD_ISOLATION="0",  # pip: false is no isolation
        PIP_DISABLE_PIP_VERSION_CHECK="1",
    )
    reader.env["PATH"] = reader.env["PATH"].replace(f"{ROOT}/.venv/bin:", "")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/tea-runner.git").symlink_to(ROOT / ".git")
    words = {"https://git.example.org": str(tmp_path)}
    said = follow("docs/how-to/install.md", reader, words=words)
    shown = said['export PATH="$HOME/.local/share/tea-runner/bin:$PATH"']
    assert f"tea-runner, version {tea_runner.__version__}\n" in shown
    assert (tmp_path / ".local/share/tea-runner/completion.bash").stat().st_size
