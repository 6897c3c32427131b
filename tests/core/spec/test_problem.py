"""Problems of pipeline files as text."""

from __future__ import annotations

from tea_runner.core.spec.problem import Problem


def test_a_problem_as_a_sentence() -> None:
    """Location, kind, field, what is wrong, and the next step."""
    problem = Problem.error("a/spec.yml", "it is wrong", "mend it", line=3, column=5, key="salt")
    assert "a/spec.yml:3:5: error: salt: it is wrong; mend it" == str(problem)
    assert problem.is_error
