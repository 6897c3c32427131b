"""Commands that hide what they write from the limits, in both views."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tea_runner.core.errors import OutputRefused
from tea_runner.sandbox.execution_environment import Limits
from tea_runner.sandbox.scan_outputs import OutputLimits
from tests.sandbox.conftest import Bench, bench, engines
from workers.collect_outputs import collect_declared

__all__ = ["bench", "engines"]

_LIMITS = Limits(output_bytes=20_000_000, output_files=200)
_BOUNDS = OutputLimits(size=1_000_000, files=20)
_LARGER = "the outputs are larger than the limit of 20000000 bytes"
_MORE = "the outputs are more than the limit of 200 files"
_FILL = "head -c 50000000 /dev/zero"
_LOOP = "i=0; while :; do : >many/$i; i=$((i+1)); done"
#: What a command does, and the sentence that ends it.
_ATTACKS = {
    "a large file": (f"{_FILL} >x; sleep 9", _LARGER),
    "a sparse file": ("truncate -s 1T x; sleep 9", _LARGER),
    "many files": (f"mkdir many; {_LOOP}", _MORE),
    "an unlinked file": (f"exec 3>x; rm x; {_FILL} >&3; sleep 9", _LARGER),
    "two unlinked files": (
        "for n in 3 4; do exec 5>x$n; rm x$n; head -c 15000000 /dev/zero >&5;"
        " sleep 9 & done; exec 5>&-; wait",
        _LARGER,
    ),
    "names that come and go": (
        f"(while :; do : >a; mkdir b; rmdir b; mv a c; rm c; done) & {_FILL} >x; sleep 9",
        _LARGER,
    ),
    "a file in a closed directory": (f"mkdir d; {_FILL} >d/x; chmod 0 d; sleep 9", _LARGER),
}


@pytest.mark.parametrize("attack", sorted(_ATTACKS))
@pytest.mark.parametrize("view", ["pfs", "dataset"])
def test_what_a_command_writes_is_watched(bench: Bench, view: str, attack: str) -> None:
    """It is ended while it runs, with the limit in the sentence."""
    if attack == "a file in a closed directory" and os.geteuid() != 0:
        pytest.skip("an ordinary worker cannot look into it; see the next test")
    text, said = _ATTACKS[attack]
    if view == "pfs":
        outcome = bench.shell(f"cd $OUT; {text}", limits=_LIMITS, timeout=30)
    else:
        outcome = bench.shell(text, limits=_LIMITS, timeout=30, out=None, code_writable=True)
    assert (said, None) == (outcome.overflow, outcome.code), bench.text


def test_files_that_were_there_are_not_counted(bench: Bench) -> None:
    """With ``view: dataset`` the inputs lie beside the outputs, and may be larger than the limit."""
    (bench.code / "input").write_bytes(b"x" * 30_000_000)
    for number in range(300):
        (bench.code / str(number)).touch()
    outcome = bench.shell(
        "echo x >y; sleep 1.5", limits=_LIMITS, timeout=30, out=None, code_writable=True
    )
    assert ("", 0) == (outcome.overflow, outcome.code)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A dataset as a command left it."""
    (tmp_path / "home").mkdir()
    return tmp_path


def _write(tree: Path, *paths: str, size: int = 1) -> None:
    for path in paths:
        place = tree / "home" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x" * size)


def _collect(tree: Path, *declared: str) -> list[str]:
    files = collect_declared(tree, "home", [f"home/{path}" for path in declared], bounds=_BOUNDS)
    return [file.path for file in files]


def test_declared_files_cannot_make_a_bare_repository(tree: Path) -> None:
    """Each alone is harmless, and none of them is the directory that git would use."""
    parts = ("a/b/HEAD", "a/b/config", "a/b/objects/o", "a/b/refs/r")
    _write(tree, *parts)
    with pytest.raises(OutputRefused, match="'a/b' looks like a git repository"):
        _collect(tree, *parts)


def _link_above(tree: Path) -> None:
    _write(tree, "real/x")
    (tree / "home/a").symlink_to("real")


def _closed_above(tree: Path) -> None:
    _write(tree, "a/x")
    (tree / "home/a").chmod(0o300)


@pytest.mark.parametrize(
    ("make", "said"),
    [(_link_above, "declared output home/a/x was not made"), (_closed_above, "'a' is closed")],
)
def test_what_is_wrong_above_a_declared_path_is_said(
    tree: Path, make: Callable[[Path], None], said: str
) -> None:
    """The directories above a declared file are examined as the file is."""
    make(tree)
    with pytest.raises(OutputRefused, match=said):
        _collect(tree, "a/x")
    if not (tree / "home/a").is_symlink():
        (tree / "home/a").chmod(0o700)


def test_limits_are_of_declared_outputs(tree: Path) -> None:
    """Inputs in the same folder, of any number and size, are not outputs; declared files are."""
    _write(tree, "input", size=2_000_000)
    _write(tree, *(f"inputs/{number}" for number in range(50)))
    _write(tree, "made")
    assert ["made"] == _collect(tree, "made")
    with pytest.raises(OutputRefused, match="larger than the limit of 1000000 bytes"):
        _collect(tree, "made", "input")
    with pytest.raises(OutputRefused, match="more than the limit of 20 files"):
        _collect(tree, "made", "inputs")


def test_the_codes_own_files_are_not_outputs(tree: Path) -> None:
    """A command that declares its own script as a result would change its own key."""
    _write(tree, "code.py")
    with pytest.raises(OutputRefused, match=r"'home/code\.py' is reserved"):
        collect_declared(
            tree,
            "home",
            ["home/code.py"],
            bounds=_BOUNDS,
            reserved=frozenset({"home/code.py"}),
        )
