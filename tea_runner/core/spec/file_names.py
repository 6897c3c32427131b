"""Names of pipeline files."""

from __future__ import annotations

#: A file of one of these names, in any folder of a dataset, is read as a pipeline file.
SPEC_NAMES = ("spec.yml", "spec.yaml", "spec.json")
