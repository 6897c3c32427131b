"""Problems of pipeline files as lines of text or rows of JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tea_runner.core.spec.problem import Problem
from tea_runner.present.visible_text import visible


def problem_lines(problems: Sequence[Problem], files: int) -> Iterator[str]:
    """``file:line:column: kind: key: problem; hint``, then a line with the counts."""
    for problem in problems:
        yield visible(str(problem))
    errors = sum(problem.is_error for problem in problems)
    warnings = len(problems) - errors
    checked = f"{files} pipeline file{'s' if files != 1 else ''}"
    counted = [
        f"{count} {word}{'s' if count != 1 else ''}"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    ]
    yield f"{checked}: {', '.join(counted) or 'no problems found'}."


def problem_rows(problems: Sequence[Problem]) -> list[dict[str, object]]:
    """One object per problem, for JSON; the names are stable."""
    return [
        {
            "file": problem.file,
            "line": problem.line,
            "column": problem.column,
            "key": problem.key,
            "kind": problem.kind,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in problems
    ]
