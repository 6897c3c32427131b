"""Output trees at random: what is taken is a plain file or a link inside, and nothing steers others."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tea_runner.host.openat import remove_tree
from tea_runner.sandbox.scan_outputs import OutputLimits, scan_outputs
from tests.fuzz import runs

_NAMES = st.sampled_from(
    [
        b"a",
        b"b",
        b"A",
        b".git",
        b".GIT",
        b"git~1",
        b".g\xe2\x80\x8cit",
        b"HEAD",
        b"objects",
        b"refs",
        b".gitattributes",
        b".datalad",
        b".github",
        b"x\ny",
        b"\xff",
        b"-rf",
        b"a.",
        b"CON",
        b" ",
        b"config",
        b"e\xcc\x81",
        b"\xc3\xa9",
        b"n" * 255,
        b"spec.yml",
    ]
)
_PATHS = st.lists(_NAMES, min_size=1, max_size=4)
_TARGETS = st.sampled_from(
    [
        b"a",
        b"../a",
        b"..",
        b".",
        b"/etc/passwd",
        b"../../../../etc/passwd",
        b"a/../../b",
        b"/pfs/in/x",
        b"b",
        b"nowhere",
        b"/pfs/out/a",
        b"\xff",
        b"./././a",
    ]
)
_STEPS = st.lists(
    st.tuples(st.sampled_from(["file", "dir", "link", "fifo", "hard", "mode"]), _PATHS, _TARGETS),
    max_size=12,
)
_STEERING = {".git", ".gitattributes", ".gitmodules", ".datalad", ".github", "git~1"}


def _make_above(top: bytes, parts: list[bytes]) -> None:
    """The directories above a path; none through a link."""
    for name in parts[:-1]:
        top += b"/" + name
        with contextlib.suppress(FileExistsError):
            os.mkdir(top)
        if os.path.islink(top):
            raise NotADirectoryError(top)


def _make(top: bytes, steps: list[tuple[str, list[bytes], bytes]]) -> None:
    for kind, parts, target in steps:
        path = top + b"/" + b"/".join(parts)
        # Some steps contradict earlier ones; the rest is what there is.
        with contextlib.suppress(OSError):
            _make_above(top, parts)
            if kind == "file":
                # A new one: never through a link that leads out, nor into a pipe that nobody reads.
                with open(path, "xb") as file:
                    file.write(target)
            elif kind == "dir":
                os.mkdir(path)
            elif kind == "link":
                os.symlink(target, path)
            elif kind == "fifo":
                os.mkfifo(path)
            elif kind == "hard":
                # To what is in the tree: another name of a file outside would be that file itself.
                source = os.path.realpath(top + b"/" + target)
                if source.startswith(os.path.realpath(top) + b"/"):
                    os.link(source, path)
            elif not os.path.islink(path):
                os.chmod(path, 0o4755 if len(parts) % 2 else 0o000)


@runs(200)
@given(_STEPS)
def test_every_tree_gets_an_answer(steps: list[tuple[str, list[bytes], bytes]]) -> None:
    """Each output is there and plain; each link leads inside; names are portable; all can be removed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        out.mkdir()
        _make(os.fsencode(out), steps)
        found = scan_outputs(
            out,
            home="home",
            limits=OutputLimits(size=10**6, files=1000),
            pfs="/pfs",
            out_at="/pfs/out",
        )
        # With one refusal nothing of the tree becomes a result.
        for output in () if found.refused else found.outputs:
            parts = output.path.split("/")
            assert not _STEERING & {part.lower() for part in parts}
            assert ".." not in parts
            output.path.encode("utf-8")
            place = out / output.path
            if output.kind == "file":
                assert place.is_file()
                assert not place.is_symlink()
            elif output.kind == "symlink":
                assert place.resolve().is_relative_to(out.resolve())
        for refusal in found.refused:
            str(refusal).encode("utf-8", "backslashreplace")
        remove_tree(out)
        assert not out.exists()
