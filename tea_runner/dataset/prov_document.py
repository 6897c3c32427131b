"""Write a lineage as a W3C PROV document, with the ``prov`` library."""

from __future__ import annotations

import importlib
import shlex
from pathlib import Path
from typing import Any

from tea_runner.core.errors import NotFound, UsageError
from tea_runner.core.results.lineage import Lineage

_SPACE = "https://tea-runner.invalid/prov#"
#: Suffix of a file name to the library's name of the format.
FORMATS = {".json": "json", ".provn": "provn", ".xml": "xml", ".ttl": "rdf"}


def write_prov(lineage: Lineage, file: Path) -> None:
    """Write the document in the format of the file name's suffix.

    :raises NotFound: when the library is not installed.
    :raises UsageError: for an unknown suffix, or when a further library is missing for the format.
    """
    kind = FORMATS.get(file.suffix)
    if kind is None:
        raise UsageError(f"--prov {file}: the name must end in {', '.join(FORMATS)}")
    try:
        model: Any = importlib.import_module("prov.model")
    except ImportError as error:
        raise NotFound(
            "W3C PROV needs the prov library",
            hint="install it: pip install 'tea-runner[provenance]'",
        ) from error
    document = _document(model, lineage)
    options: dict[str, object] = {"rdf_format": "ttl"} if kind == "rdf" else {}
    try:
        document.serialize(str(file), format=kind, **options)
    except (ImportError, model.ProvException) as error:
        raise UsageError(
            f"--prov {file}: {error}", hint=".json and .provn need no other library"
        ) from error


def _document(model: Any, lineage: Lineage) -> Any:
    document = model.ProvDocument()
    tea = document.add_namespace("tea", _SPACE)
    files = {}
    for file in lineage.files.values():
        facts = {
            "prov:label": _text(file.path),
            tea["path"]: _text(file.path),
            tea["content"]: file.content,
            tea["commit"]: file.commit,
        }
        if file.dataset:
            facts[tea["dataset"]] = _text(file.dataset)
        files[file.id] = document.entity(tea[f"file-{file.id}"], facts)
    for step in lineage.steps.values():
        facts = {
            "prov:label": _text(f"{step.pipeline} {step.datum}"),
            tea["pipeline"]: step.pipeline,
            tea["datum"]: _text(step.datum),
            tea["key"]: step.key,
            tea["command"]: _text(shlex.join(step.command)),
            tea["environment"]: " ".join(step.environment),
            tea["record"]: step.record,
            tea["inputsAt"]: step.at,
            tea["provenBy"]: step.signer,
        }
        facts = {name: value for name, value in facts.items() if value}
        activity = document.activity(tea[f"step-{step.id}"], None, None, facts)
        for name in dict.fromkeys((*step.inputs, *step.code)):
            document.used(activity, files[name])
        for name in step.outputs:
            document.wasGeneratedBy(files[name], activity)
            for source in step.inputs:
                document.wasDerivedFrom(files[name], files[source], activity)
    return document


def _text(value: str) -> str:
    """Escape bytes that are not UTF-8, which a document cannot contain."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
