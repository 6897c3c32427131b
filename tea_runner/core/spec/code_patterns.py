"""Which files of a dataset are a command's code: the patterns of ``transform.code``, and the default."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from tea_runner.core.glob.matcher import Glob
from tea_runner.core.pipeline import Transform

#: File names that no command reads unless it names them: texts in a markup language, and what a project
#: keeps at its top by convention.
_DOCUMENTATION = re.compile(
    r"(?i:.*\.(?:md|markdown|mkd|rst|adoc|asciidoc))"
    r"|(?:README|Readme|readme|NOTES|CHANGELOG|ChangeLog|CHANGES|HISTORY|NEWS|TODO|AUTHORS|CONTRIBUTORS"
    r"|CONTRIBUTING|MAINTAINERS|LICEN[CS]E|COPYING|CITATION)(?:\.(?:txt|cff|html))?"
)


@dataclass(frozen=True)
class CodePatterns:
    """The code of one command, as its pipeline file describes it."""

    transform: Transform

    @cached_property
    def uses_default(self) -> bool:
        """Whether the default counts: no pattern is there that names files."""
        code = self.transform.code
        return code is None or (bool(code) and not self._named)

    @cached_property
    def named(self) -> tuple[Glob, ...]:
        """Patterns of files that are code."""
        return tuple(map(Glob, self._named))

    @cached_property
    def _named(self) -> tuple[str, ...]:
        return tuple(text for text in self.transform.code or () if not excludes(text))

    @cached_property
    def _left_out(self) -> tuple[Glob, ...]:
        return tuple(Glob(text[1:]) for text in self.transform.code or () if excludes(text))

    def leaves_out(self, path: str, documentation: bool = False) -> bool:
        """Whether a file of the default, or one that a pattern names, is no code all the same.

        :param path: from the top of the dataset.
        :param documentation: whether files that document the code are code as well.
        """
        if any(glob.match("/" + path) for glob in self._left_out):
            return True
        return self.uses_default and not documentation and self.is_documentation(path)

    def is_documentation(self, path: str) -> bool:
        """Whether a file documents the code, and the command does not name it."""
        name = path.rpartition("/")[2]
        return bool(_DOCUMENTATION.fullmatch(name)) and not self.is_named(path)

    def is_named(self, path: str) -> bool:
        """Whether a word of the command, of its standard input or environment holds the file's name."""
        name = path.rpartition("/")[2]
        return any(name in text for text in self._texts)

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        command = self.transform
        values = (value for _, value in command.env)
        return (*command.cmd, *command.stdin, *command.err_cmd, *command.err_stdin, *values)


def excludes(pattern: str) -> bool:
    """Whether a pattern of ``transform.code`` names files that are left out: ``!`` and a glob.

    ``!(a|b)`` is a glob of its own (an extended one).
    """
    return pattern.startswith("!") and not pattern.startswith("!(")
