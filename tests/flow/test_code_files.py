"""Which files of the dataset are code of a command when its pipeline file names none, or leaves some out."""

from __future__ import annotations

import pytest

from tests.twins.lab import MemoryLab
from tests.twins.plans import TWO, reasons
from tests.twins.specs import spec


def _code(lab: MemoryLab) -> tuple[str, ...]:
    (code,) = {work.code for work in lab.plan().works.values()}
    return code


@pytest.mark.parametrize(
    "path",
    [
        "copy/NOTES.md",
        "copy/README",
        "code/README.md",
        "code/docs/usage.rst",
        "code/LICENSE.txt",
        "code/CHANGELOG",
        "code/CITATION.cff",
    ],
)
def test_documentation_is_no_code(lab: MemoryLab, path: str) -> None:
    """Notes beside a pipeline file or in ``code/`` change no key."""
    lab.push({**TWO, "code/tool.py": "1"})
    lab.settle()
    lab.push({path: "what this does"})

    assert set(reasons(lab).values()) == {("current", "current")}
    assert _code(lab) == ("code/tool.py",)


@pytest.mark.parametrize("path", ["code/readme.py", "code/notes.csv", "code/report.Rmd"])
def test_programs_and_data_are_code(lab: MemoryLab, path: str) -> None:
    """A file counts as documentation only if no interpreter reads such files."""
    lab.push({**TWO, path: "1"})

    assert _code(lab) == (path,)


@pytest.mark.parametrize(
    "transform",
    [
        {"cmd": ["pandoc", "code/report.md"]},
        {"cmd": ["sh"], "stdin": ["pandoc code/report.md"]},
        {"cmd": ["make-it"], "err_cmd": ["cat", "code/report.md"]},
        {"cmd": ["make-it"], "env": {"TEXT": "code/report.md"}},
    ],
)
def test_documentation_that_the_command_names_is_code(
    lab: MemoryLab, transform: dict[str, object]
) -> None:
    """A text that the command converts is an input of it."""
    lab.push({**TWO, "code/report.md": "1", "copy/spec.yml": spec("copy", transform=transform)})

    assert _code(lab) == ("code/report.md",)


def test_declared_code_may_be_documentation(lab: MemoryLab) -> None:
    """``transform.code`` says exactly which files count."""
    declared = spec("copy", transform={"code": ["/code/**"]})
    lab.push({**TWO, "code/report.md": "1", "code/tool.py": "1", "copy/spec.yml": declared})

    assert _code(lab) == ("code/report.md", "code/tool.py")


def test_patterns_with_an_exclamation_mark_leave_files_out(lab: MemoryLab) -> None:
    """Alone they shorten the default; after other patterns they shorten what those name."""
    files = {"code/tool.py": "1", "code/old/tool.py": "1", "copy/beside.py": "1"}
    default = spec("copy", transform={"code": ["!/code/old/**"]})
    lab.push({**TWO, **files, "copy/spec.yml": default})
    assert _code(lab) == ("code/tool.py", "copy/beside.py")

    named = spec("copy", transform={"code": ["/code/**", "!/code/old/**"]})
    lab.push({"copy/spec.yml": named})
    assert _code(lab) == ("code/tool.py",)


def test_a_change_of_code_is_seen_with_a_shortened_default(lab: MemoryLab) -> None:
    """What is left of the default is still in the key; what is left out is not."""
    default = spec("copy", transform={"code": ["!/code/old/**"]})
    lab.push({**TWO, "code/tool.py": "1", "code/old/tool.py": "1", "copy/spec.yml": default})
    lab.settle()
    lab.push({"code/old/tool.py": "2"})
    assert set(reasons(lab).values()) == {("current", "current")}

    lab.push({"code/tool.py": "2"})
    assert set(reasons(lab).values()) == {("run", "code-changed")}
