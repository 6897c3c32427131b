"""The name of an environment variable in, the reason why a pipeline may not set it out."""

from __future__ import annotations

import re

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES = frozenset({"PATH", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "BASHOPTS", "PFS"})
_PREFIXES = ("LD_", "DYLD_", "GIT_", "PACH_", "PPS_", "TEA_")


def forbidden_variable(name: str) -> str:
    """Why the variable is not the pipeline's to set; empty when it is."""
    if name in _NAMES or name.startswith(_PREFIXES):
        return f"variable {name} is not allowed: it is the system's own"
    return ""


def variable_problem(name: str) -> str:
    """As :func:`forbidden_variable`, and for names that are none."""
    if not _IDENTIFIER.fullmatch(name):
        return f"variable {name!r} is not allowed: a name has letters, digits and _ only"
    return forbidden_variable(name)
