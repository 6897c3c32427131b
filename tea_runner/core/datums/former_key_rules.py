"""Former rules of what enters a key, so that a plan can name a key that differs by the rules alone.

A rule that alters keys adds its former form here.  ``FORMAT`` of
:mod:`~tea_runner.core.datums.datum_keys` is the version of the canonical form of all keys; these rules
alter the keys of the pipelines that use what they are about, and of no others.
"""

from __future__ import annotations

from dataclasses import dataclass

from tea_runner.core.datums.datum_keys import VisibleFile, VisibleInput
from tea_runner.core.pipeline import Pipeline, pfs_leaves


@dataclass(frozen=True)
class KeyForm:
    """One set of former rules; the default is the rules of today."""

    #: Documentation beside the code was code, where ``transform.code`` names no files.
    documentation_is_code: bool = False
    #: An ``empty_files`` input counted with its names only.
    placeholders_by_name: bool = False

    def inputs(
        self, pipeline: Pipeline, inputs: tuple[VisibleInput, ...]
    ) -> tuple[VisibleInput, ...]:
        """The inputs of a datum as they entered its key."""
        if not self.placeholders_by_name:
            return inputs
        empty = {leaf.name for leaf in pfs_leaves(pipeline.input) if leaf.empty_files}
        return tuple(_by_name(each) if each.name in empty else each for each in inputs)


def _by_name(shown: VisibleInput) -> VisibleInput:
    files = tuple(VisibleFile(file.path, file.executable, None) for file in shown.files)
    return shown._replace(files=files)
