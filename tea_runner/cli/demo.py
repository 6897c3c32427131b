"""``tea-runner demo``: two pushes to a temporary server, and their results."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

import tea_runner
from tea_runner.broker.redis_server import find_server
from tea_runner.cli.embedded_forge_setup import free_port
from tea_runner.cli.local_stack import LocalStack
from tea_runner.cli.main import Context
from tea_runner.cli.start_checks import state_lock
from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import OutsideError, UserError
from tea_runner.core.planning.reasons import SENTENCES
from tea_runner.core.planning.run import Run
from tea_runner.host import process
from tea_runner.host.openat import remove_tree
from tea_runner.host.tool_search_path import tool_variables
from tea_runner.present import summary_line

_WAIT = 180.0


@click.command("demo")
@click.option("--keep", is_flag=True, help="Keep the demo's folder.")
@click.pass_obj
def command(context: Context, keep: bool) -> None:
    """Show two pushes and their results, then clean up.

    Starts a server with the embedded forge in .tea/demo, pushes a dataset, changes one photograph
    and pushes again. Nothing else on this machine is changed.
    """
    example = find_example()
    if context.settings.source("state") == "default":
        context = context.with_flags({"state": str(Path(".tea/demo").resolve())})
    folder = Path(str(context.settings.state)).expanduser().resolve()
    with state_lock(folder):  # a running demo keeps its folder
        remove_tree(folder)
    find_server(context.variables.get("PATH", ""))
    if context.flags.get("web.port", "0") == "0":
        context = context.with_flags({"web.port": free_port()})
    context = _choose_sandbox(context)
    try:
        with LocalStack(context) as stack:
            Demo(stack, example, folder / "edges").run()
    finally:
        if not keep:
            remove_tree(folder)


def find_example() -> Path:
    """The folder of the example: inside the package when it was installed, beside it in a checkout.

    :raises UserError: when the libraries that the example's commands use are not installed.
    """
    if importlib.util.find_spec("cv2") is None:
        raise UserError(
            "the demo's pipelines need OpenCV and numpy",
            hint="install them: pip install 'tea-runner[demo]'",
        )
    package = Path(tea_runner.__file__).parent
    installed = package / "examples" / "edges"
    return installed if installed.is_dir() else package.parent / "examples" / "edges"


def _choose_sandbox(context: Context) -> Context:
    """Without bubblewrap, turn the sandbox off with a warning: the demo's commands are our own."""
    missing = context.site.host.check()
    if missing:
        click.secho(f"NO SANDBOX: {missing}.", fg="yellow", bold=True)
        click.echo("The demo runs its own pipelines without one; a real server refuses to start.")
        return context.with_flags({"sandbox.kind": "off"})
    return context


class Demo:
    """The steps of the demo."""

    def __init__(self, stack: LocalStack, example: Path, dataset: Path) -> None:
        assert stack.embedded is not None
        self.access = stack.embedded
        self.stack = stack
        self.example = example
        self.dataset = dataset
        self.env = {
            **stack.context.variables,
            **tool_variables(stack.context.variables),
            "GIT_TERMINAL_PROMPT": "0",
            # DataLad keeps a cache in the home directory, where the demo writes nothing.
            "XDG_CACHE_HOME": str(stack.state / "cache"),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "init.defaultBranch",
            "GIT_CONFIG_VALUE_0": "main",
            "GIT_AUTHOR_NAME": "Demo",
            "GIT_AUTHOR_EMAIL": "demo@example.org",
            "GIT_COMMITTER_NAME": "Demo",
            "GIT_COMMITTER_EMAIL": "demo@example.org",
        }
        self.console = Console(highlight=False, soft_wrap=True)
        self.runs = stack.context.site.runs

    def run(self) -> None:
        """Run all steps."""
        self._title("A dataset of photographs, two pipelines, a push")
        self._make_dataset()
        self._push("six photographs and two pipelines")
        first = self._wait_for_results()
        self._show(first)
        self._title("One photograph changes, a second push")
        self._copy("changes/one-photograph")
        self._push("coffee, seen in a mirror")
        self._show(self._wait_for_results())
        self._title("What to type next")
        program = Path(sys.executable).parent
        for line in (
            "make up                           the same servers, kept running, with your own datasets",
            f'export PATH="{program}:$PATH"',
            "tea-runner demo --keep            this once more, and keep the dataset in .tea/demo",
            "tea-runner plan                   in a dataset: what a push would run, and why",
            "tea-runner webhook add OWNER/REPO with your own Gitea or Forgejo in the settings",
            "docs/tutorial/first-pipeline.md",
        ):
            self.console.print("  " + line)

    # -- steps -------------------------------------------------------------------------------

    def _make_dataset(self) -> None:
        access = self.access
        with self._progress("datalad create"):
            self._run("datalad", "-l", "error", "create", str(self.dataset), cwd=self.stack.state)
            self._copy("dataset")
            self._run("datalad", "-l", "error", "save", "-m", "photographs and pipelines")
            self._run(
                "git",
                "annex",
                "initremote",
                access.storage,
                "type=directory",
                f"directory={access.store}",
                "encryption=none",
                "autoenable=true",
            )
            plain = access.url.removeprefix("http://")
            url = f"http://{access.user}:{access.password}@{plain}/{access.user}/edges.git"
            self._run("git", "remote", "add", "origin", url)
            self._run("git", "config", "remote.origin.annex-ignore", "true")

    def _copy(self, part: str) -> None:
        for source in sorted((self.example / part).rglob("*")):
            target = self.dataset / source.relative_to(self.example / part)
            if source.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.unlink(missing_ok=True)
                shutil.copyfile(source, target)

    def _push(self, message: str) -> None:
        with self._progress("git push"):
            if self._run("git", "status", "--porcelain").strip():
                self._run("datalad", "-l", "error", "save", "-m", message)
            self._run("git", "annex", "copy", "--quiet", "--to", self.access.storage)
            self._run("git", "push", "-q", "origin", "main", "git-annex")

    def _wait_for_results(self) -> Run:
        commit = self._run("git", "rev-parse", "HEAD").strip()
        end = time.monotonic() + _WAIT
        with self.console.status("waiting for the delivery …") as status:
            while time.monotonic() < end:
                self.stack.restart_ended()
                run = next((r for r in self.runs.latest(5) if r.commit == commit), None)
                if run is not None:
                    status.update(
                        "; ".join(
                            f"{p.name}: {summary_line.description(p.state, p.counts, p.detail)}"
                            for p in run.pipelines
                        )
                    )
                    if run.state in ("failed", "blocked"):
                        detail = "; ".join(p.detail for p in run.pipelines if p.detail)
                        raise OutsideError(
                            f"the run {run.state}: {detail or run.problems}",
                            hint=f"logs: {self.stack.state / 'logs'} (use --keep)",
                        )
                    if run.state == "settled":
                        return run
                time.sleep(0.1)
        raise OutsideError(
            f"no results within {_WAIT:g} s", hint=f"logs: {self.stack.state / 'logs'}"
        )

    def _show(self, run: Run) -> None:
        self._run("git", "pull", "-q", "--ff-only", "origin", "main")
        self._run("git", "fetch", "-q", "origin", "git-annex")
        self._run("git", "annex", "merge", "--quiet")
        for pipeline in run.pipelines:
            counts = summary_line.counts(pipeline.counts)
            self.console.print(f"[bold]{pipeline.name}[/]: {counts}", highlight=False)
            for datum in pipeline.datums:
                word = "done" if datum.action == "done" else "reused"
                why = SENTENCES.get(datum.reason, datum.reason)  # type: ignore[call-overload]
                self.console.print(f"  {word:7}{shown_label(datum.label)}  {why}", markup=False)
        for pipeline in run.pipelines:
            if pipeline.commit:
                shown = self._run(
                    "git",
                    "show",
                    "--stat=78",
                    "--first-parent",
                    "--format=%h %an: %s",
                    pipeline.commit,
                )
                self.console.print(shown.rstrip(), markup=False)
        token = self.stack.context.site.pages_token
        page = f"{self.stack.web_url}/runs/{run.id}?token={token}"
        self.console.print(f"page: {page}", markup=False)

    # -- output -----------------------------------------------------------------------------

    def _title(self, text: str) -> None:
        self.console.print(f"\n[bold cyan]{text}[/]")

    @contextlib.contextmanager
    def _progress(self, what: str) -> Iterator[None]:
        with self.console.status(what + " …"):
            yield
        self.console.print(f"  {what}", style="dim")

    def _run(self, *argv: str, cwd: Path | None = None) -> str:
        done = process.run(argv, env=self.env, cwd=cwd or self.dataset, timeout=120)
        return bytes(done.stdout).decode("utf-8", "replace")
