"""Environment variables that a pipeline must not set."""

from __future__ import annotations

import re

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES = frozenset({"PATH", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "BASHOPTS", "PFS"})
_PREFIXES = ("LD_", "DYLD_", "GIT_", "PACH_", "PPS_", "TEA_")


def forbidden_variable(name: str) -> str:
    """The reason why a pipeline must not set the variable; empty if it may."""
    if name in _NAMES or name.startswith(_PREFIXES):
        return f"variable {name} is reserved for the system"
    return ""


def variable_problem(name: str) -> str:
    """Like :func:`forbidden_variable`, and also checks that the name is valid."""
    if not _IDENTIFIER.fullmatch(name):
        return f"variable name {name!r} is not valid: use letters, digits and _"
    return forbidden_variable(name)
