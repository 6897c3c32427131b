"""Items of the planners' queue, which others may have written."""

from __future__ import annotations

import json

from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.git.branch_kinds import is_ref_name


def read_plan_request(argument: str) -> tuple[str, str] | None:
    """Repository and branch of an item; None for anything else."""
    try:
        match json.loads(argument):
            case [str(repository), str(branch)]:
                valid = is_repository_name(repository) and not branch.startswith("-")
                return (
                    (repository, branch) if valid and is_ref_name(f"refs/heads/{branch}") else None
                )
    except (ValueError, RecursionError):
        pass
    return None


def read_question(argument: str) -> str:
    """Id of the question that an item names; empty for anything else."""
    try:
        match json.loads(argument):
            case {"question": str(name)}:
                return name
    except (ValueError, RecursionError):
        pass
    return ""
