"""A result that a signed manifest lists, as the index of known results has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tea_runner.core.results.manifest import Row
from tea_runner.core.results.result import Result, manifest_output
from tea_runner.core.results.run_conditions import RowState, RunConditions


class SignedResult(NamedTuple):
    """One row of a signed manifest, and where it is."""

    key: str
    #: Paths, identities and sizes of the outputs, see :class:`~tea_runner.core.results.manifest.Row`.
    outputs: tuple[str, ...]
    contents: tuple[str, ...]
    sizes: tuple[int, ...]
    state: RowState
    ran: RunConditions
    #: The commit that introduced the row.
    commit: str
    #: Whether a manifest of the branch that is planned has it.
    own: bool = True
    #: Name of the signer; empty where signatures are not required.
    signer: str = ""

    @property
    def result(self) -> Result:
        """The result of the datum."""
        outputs = zip(self.outputs, self.contents, self.sizes, strict=True)
        return Result(
            key=self.key,
            outputs=tuple(manifest_output(*each) for each in outputs),
            recovered=self.state == "recovered",
            ran=self.ran,
        )

    def proves(self, row: Row) -> bool:
        """Whether a row of another manifest states the same result."""
        return (self.key, self.outputs, self.contents, self.state, str(self.ran)) == (
            row.key,
            row.outputs,
            row.contents,
            row.state,
            row.ran,
        )


#: Whether a result counts where it is looked up.
Accepts = Callable[[SignedResult], bool]


def accept_all(_: SignedResult) -> bool:
    """Accept every result."""
    return True
