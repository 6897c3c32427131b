"""Environment variables that a pipeline must not set: those of the system, and those that each datum gets.

Other variables of Pachyderm (``PACH_…``, ``PPS_…``) are a pipeline's own there, too.
"""

from __future__ import annotations

import re

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES = frozenset(
    {
        *("PATH", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "BASHOPTS", "PFS"),
        *("FILESET_ID", "PACH_DATUM_ID", "PACH_JOB_ID", "PACH_OUTPUT_COMMIT_ID"),
        *(
            "PPS_NAMESPACE",
            "PACH_NAMESPACE",
            "PPS_POD_NAME",
            "PPS_PIPELINE_NAME",
            "PPS_SPEC_COMMIT",
        ),
    }
)
_PREFIXES = ("LD_", "DYLD_", "GIT_", "PACH_DATUM_", "TEA_")
#: What a command's own programs need, such as CUDA's libraries.
_ALLOWED = frozenset({"LD_LIBRARY_PATH"})


def forbidden_variable(name: str) -> str:
    """The reason why a pipeline must not set the variable; empty if it may."""
    if name in _NAMES or (name.startswith(_PREFIXES) and name not in _ALLOWED):
        return f"variable {name} is reserved for the system"
    return ""


def variable_problem(name: str) -> str:
    """Like :func:`forbidden_variable`, and also checks that the name is valid."""
    if not _IDENTIFIER.fullmatch(name):
        return f"variable name {name!r} is not valid: use letters, digits and _"
    return forbidden_variable(name)
