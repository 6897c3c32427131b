"""The image builds, runs as an ordinary user, and its sandbox holds under the documented options."""

from __future__ import annotations

import json

import pytest

from tea_runner import __version__
from tests.image.engine import OPTIONS, ROOT, TAG, Engine

pytestmark = pytest.mark.engine

BWRAP = (
    *("bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"),
    *("--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"),
    *("--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
)


def test_the_image_holds_this_version(engine: Engine) -> None:
    """`tea-runner --version` in the image names the version of this checkout."""
    assert __version__ in engine.shell("tea-runner --version")


def test_everything_in_the_image_runs_as_an_ordinary_user(engine: Engine) -> None:
    """A command is not root, and the folder of the state is its own."""
    said = engine.shell("id -u; stat -c %U /var/lib/tea-runner; touch /var/lib/tea-runner/x")
    assert ["1000", "tea"] == said.split()


def test_the_image_has_the_programs_that_jobs_need(engine: Engine) -> None:
    """git, git-annex, a Redis server and OpenCV for the example are in the image and start."""
    said = engine.shell(
        "set -e; git --version; git annex version --raw; redis-server --version;"
        "python3 -c 'import cv2, datalad'; echo; echo all"
    )
    assert "all" == said.splitlines()[-1]


def test_git_annex_reaches_s3_in_the_image(engine: Engine) -> None:
    """It looks up the protocol first; what fails then is the connection to a port where nothing listens."""
    said = engine.shell(
        "cd /tmp && git init -q x && cd x && git annex init -q 2>/dev/null; "
        "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b git -c annex.security.allowed-ip-addresses=127.0.0.1 "
        "annex initremote s type=S3 host=127.0.0.1 port=1 protocol=http requeststyle=path bucket=b "
        "encryption=none 2>&1 | cat"
    )
    assert "Connection refused" in said


def test_rules_by_file_type_work_without_a_database_of_the_system(engine: Engine) -> None:
    """A dataset of ``datalad create -c text2git``, as most are: outputs are judged by their encoding."""
    spec = (
        "{pipeline: {name: up}, input: {pfs: {name: in, repo: raw, glob: /*}}, "
        "transform: {cmd: [sh, -c, 'cp $PFS/in/* $PFS/out/; head -c 9 /dev/zero > $PFS/out/b.bin']}}"
    )
    said = engine.shell(
        "set -e; export HOME=/tmp; git config --global user.name U;"
        "git config --global user.email u@example.org;"
        "datalad -l error create -c text2git /tmp/ds >/dev/null; cd /tmp/ds; mkdir raw up;"
        f"echo a > raw/a.txt; cat > up/spec.yml <<'END'\n{spec}\nEND\n"
        "datalad -l error save -m data >/dev/null; tea-runner run -y --sandbox off >&2;"
        "for f in up/a.txt up/b.bin; do test -L $f && echo annex || echo git; done"
    )
    assert ["git", "annex"] == said.split()


def test_the_sandbox_holds_under_the_documented_options(engine: Engine) -> None:
    """With the two options bubblewrap makes its namespaces, and the state is not seen inside."""
    look = "id -u; ls /var/lib/tea-runner 2>&1 | grep -c 'No such'; ls /proc | grep -c '^[0-9]'"
    uid, hidden, processes = engine.text(
        *("run", "--rm", "--network=none", *OPTIONS, TAG, *BWRAP, "sh", "-c", look)
    ).split()
    assert "1000" == uid
    assert "1" == hidden
    assert int(processes) < 6


def test_no_way_leads_out_of_the_sandbox_in_the_image(engine: Engine) -> None:
    """The escape suite, started in a container by its ordinary user: every probe was held."""
    escape = f"{ROOT}/tests/hostile:/escape:ro"
    said = engine.text(
        *("run", "--rm", "--network=none", "-e", "TEA_CANARY=CANARY", *OPTIONS, "-v", escape, TAG),
        *("python3", "-IB", "/escape/escape.py", "/var/lib/tea-runner/job"),
        timeout=240,
    )
    answers: dict[str, str | None] = json.loads(said)
    assert len(answers) >= 60
    assert {} == {name: got for name, got in answers.items() if got is not None}


def test_the_default_command_serves_everything_and_stops_cleanly(engine: Engine) -> None:
    """Pages, forge, queue and workers come up in one container, and end when it is told to stop."""
    name = engine.text(
        "run", "-d", "--network=none", *OPTIONS, "--stop-timeout=60", TAG, timeout=120
    )
    try:
        ready = (
            "import sys, time, urllib.request as u\n"
            "def up(url):\n"
            "    try:\n        return u.urlopen(url, timeout=2).status == 200\n"
            "    except OSError:\n        return False\n"
            "urls = ['http://127.0.0.1:1706/readyz', 'http://127.0.0.1:3000/api/v1/version']\n"
            "end = time.monotonic() + 60\n"
            "while not all(map(up, urls)) and time.monotonic() < end: time.sleep(0.3)\n"
            "sys.exit(not all(map(up, urls)))\n"
        )
        answered = engine.accepts("exec", name, "python3", "-c", ready)
        logs = engine.text("logs", name)
        engine.text("stop", name, timeout=120)
        code = engine.text("inspect", "--format={{.State.ExitCode}}", name)
    finally:
        engine.accepts("rm", "-f", name)

    assert answered, logs
    assert "0" == code, logs
