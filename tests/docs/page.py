"""Pages of the documentation, as their readers follow them: block by block, word for word."""

from __future__ import annotations

import os
import re
import signal
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tea_runner.host import process
from tea_runner.host.tool_search_path import tool_path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_COMPOSE = "needs docker; tests/image/test_compose.py runs it"
#: By page and first line: shell blocks that no test runs, each with the reason.
NOT_RUN = {
    (
        "README.md",
        "make demo    # start a forge, a server and workers, push a dataset, show its results",
    ): "make test runs these tests, and tests/test_wheel.py runs the demo",
    (
        "docs/how-to/connect-gitea.md",
        "tea-runner setup https://git.example.org --admin ADMIN --pages http://runner.example.org:1706 "
        "--repository OWNER/REPO",
    ): "asks for a password; tests/cli/test_setup.py runs it with a file",
    (
        "docs/how-to/install.md",
        "sudo apt-get install -y git python3-venv bubblewrap",
    ): "changes the machine; .ci/run installs the same packages",
    (
        "docs/how-to/install.md",
        "sudo systemctl restart tea-runner-planner tea-runner-reconcile tea-runner-serve tea-runner-worker",
    ): "needs systemd; tests/test_deploy.py compares the units",
    (
        "docs/how-to/run-on-a-cluster.md",
        "tea-runner slurm",
    ): "runs until Ctrl-C beside a server; tests/executors/test_slurm_fleet.py starts it",
    (
        "docs/how-to/run-with-compose.md",
        "docker build -t tea-runner .",
    ): _COMPOSE,
    (
        "docs/how-to/run-with-compose.md",
        "docker compose up -d --wait",
    ): _COMPOSE,
    (
        "docs/how-to/run-with-compose.md",
        "docker compose up -d --wait --scale worker=3",
    ): _COMPOSE,
    (
        "docs/how-to/run-with-compose.md",
        "docker build -t tea-runner ../..",
    ): _COMPOSE,
    (
        "docs/how-to/run-workers-elsewhere.md",
        "docker run -d -v tea-worker:/var/lib/tea-runner -v /etc/tea-runner:/etc/tea-runner:ro \\",
    ): "needs the image, which tests/image builds and runs with these options",
}


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str
    #: Line of the page on which the fence begins, from 1.
    line: int

    @property
    def name(self) -> tuple[str, str]:
        """The page and the block's first line."""
        return self.page, self.text.split("\n", 1)[0]


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(
            page=page,
            language=found["language"].strip(),
            text=textwrap.dedent(found["text"]),
            line=text.count("\n", 0, found.start()) + 1,
        )
        for found in _FENCE.finditer(text)
    ]


def pages() -> list[str]:
    """All pages that people follow."""
    names = process.run(["git", "ls-files", "*.md"], env=dict(os.environ), cwd=ROOT).stdout
    return [
        name
        for name in names.decode().splitlines()
        if not name.startswith(("tests/", "docs/decisions/", "docs/reference/"))
    ]


class Reader:
    """A person with an empty home who follows a page.

    :param home: becomes the home; its folder ``work`` is where the page begins.
    """

    def __init__(self, home: Path, *, programs: Path | None = None) -> None:
        self.home = home
        self.folder = home / "work"
        self.folder.mkdir(parents=True)
        path = tool_path(os.environ)
        self.env = {
            "HOME": str(home),
            "PATH": f"{programs}:{path}" if programs else path,
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
        }
        #: Words before each command, such as those that enter a network namespace.
        self.before: tuple[str, ...] = ()
        self.say("git config --global user.name Reader")
        self.say("git config --global user.email reader@example.org")
        self.say("git config --global init.defaultBranch main")
        self._running: list[process.Process] = []

    def say(self, text: str, *, code: int = 0) -> str:
        """Run shell text; folder and exported variables stay for the next one.

        :returns: all that was printed.
        """
        state = self.home / ".state"
        after = f'\nexport -p >"{state}.new"; pwd >"{state}.folder"; mv "{state}.new" "{state}"'
        before = f'if [ -e "{state}" ]; then . "{state}"; fi\n'
        done = process.run(
            [*self.before, "bash", "-e", "-c", before + text + after],
            env=self.env,
            cwd=self.folder,
            check=False,
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert code == done.returncode, f"{text}\n{said}"
        if done.returncode == 0:
            self.folder = Path((self.home / ".state.folder").read_text().strip())
        return said

    def begin(self, text: str, log: Path) -> process.Process:
        """Start shell text that runs until Ctrl-C."""
        with log.open("wb") as file:
            started = process.start_process(
                ["bash", "-e", "-c", f"exec {text.strip()}"],
                env=self.env,
                cwd=self.folder,
                stdout=file,
                stderr=file,
            )
        self._running.append(started)
        return started

    def interrupt(self) -> None:
        """Press Ctrl-C in all that runs."""
        for started in self._running:
            if started.poll() is None:
                started.send_signal(signal.SIGINT)
        for started in self._running:
            try:
                started.wait(timeout=60)
            finally:
                process.kill(started)
        self._running.clear()


#: What is done with a block in place of running it as it is; gets its text.
Action = Callable[[str], object]


def follow(
    page: str,
    reader: Reader,
    *,
    words: Mapping[str, str] | None = None,
    between: Mapping[str, Action] | None = None,
) -> dict[str, str]:
    """Run all shell blocks of a page in order, but those of :data:`NOT_RUN`.

    :param words: what a reader writes in place of the page's placeholders.
    :param between: by the first line of blocks of any language, what is done with each of them; shell
        blocks with an entry are run by the entry.
    :returns: what each shell block printed, by its first line.
    """
    printed = {}
    given, used = dict(between or {}), set()
    for block in blocks(page):
        text = block.text
        for placeholder, word in (words or {}).items():
            text = text.replace(placeholder, word)
        first = block.name[1]
        if first in given:
            used.add(first)
            printed[first] = str(given[first](text))
        elif block.language == "sh" and block.name not in NOT_RUN:
            printed[first] = reader.say(text)
    assert used == set(given), f"{page} has not all of these blocks: {sorted(given)}"
    return printed
