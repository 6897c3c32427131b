"""What a check of the installation found, one value for each thing that was tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """A thing, how it is, and what to mend."""

    name: str
    #: warning: something will not work, and perhaps nobody needs it; error: it has to be mended.
    state: Literal["ok", "warning", "error"]
    text: str
