"""Pipeline files from Jsonnet templates, as ``pachctl create pipeline --jsonnet`` makes them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tea_runner.core.errors import NotFound, UsageError, UserError

#: Most levels of calls, as in the jsonnet command.
_STACK = 500


def parse_arguments(rows: Sequence[str]) -> dict[str, str]:
    """The arguments of a template, each written as ``PARAM=VALUE``.

    :raises UsageError: for one that is not.
    """
    found = {}
    for row in rows:
        name, equals, value = row.partition("=")
        if not name or not equals:
            raise UsageError(f"--arg {row}: expected PARAM=VALUE")
        found[name] = value
    return found


def render(path: Path, arguments: Mapping[str, str]) -> tuple[str, str]:
    """The text of the pipeline file that a template makes, and the name of its first pipeline.

    :param arguments: of the template's function; all are texts.
    :raises NotFound: when there is no such file, or Jsonnet is not installed.
    :raises UserError: when the template cannot be evaluated, or makes no pipeline.
    """
    if not path.is_file():
        raise NotFound(f"there is no template {path}")
    try:
        jsonnet = importlib.import_module("_jsonnet")
    except ImportError as error:
        raise NotFound(
            "Jsonnet is not installed here", hint="pip install 'tea-runner[templates]'"
        ) from error
    try:
        text = jsonnet.evaluate_file(str(path), tla_vars=dict(arguments), max_stack=_STACK)
    except RuntimeError as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(
            f"template {path.name}: {first}", hint="its arguments are given with --arg PARAM=VALUE"
        ) from error
    document = json.loads(text)
    pipelines = document if isinstance(document, list) else [document]
    try:
        name = str(pipelines[0]["pipeline"]["name"])
    except (LookupError, TypeError) as error:
        raise UserError(
            f"template {path.name} makes no pipeline",
            hint="it has to make an object with pipeline.name",
        ) from error
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n", name
