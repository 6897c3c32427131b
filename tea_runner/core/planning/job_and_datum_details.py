"""What a job ran, and what its datums read and wrote, for pages; all of it is bounded.

None of it is in keys, records or results.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Files of each datum that are listed, as inputs and as outputs.
MOST_FILES = 30


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A small output: a picture, or the first lines of a text."""

    path: str
    #: ``image/png`` and other types of :data:`PICTURES`, or ``text/plain``.
    type: str
    data: bytes
    #: The picture that it replaces; empty for none, and for an equal one.
    before: bytes = b""


@dataclass(frozen=True, kw_only=True)
class DatumDetails:
    """What one datum read and wrote: paths in the dataset with their sizes."""

    inputs: tuple[tuple[str, int], ...] = ()
    outputs: tuple[tuple[str, int], ...] = ()
    #: Whether there are more inputs, and how many more outputs.
    has_more_inputs: bool = False
    more_outputs: int = 0
    previews: tuple[Preview, ...] = ()


@dataclass(frozen=True, kw_only=True)
class JobDetails:
    """What a job ran."""

    command: tuple[str, ...] = ()
    stdin: tuple[str, ...] = ()
    image: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    view: str = ""
    spec_path: str = ""
    spec_line: int = 1
    datums: Mapping[str, DatumDetails] = field(default_factory=dict)


#: First bytes of pictures that browsers show, and their types.  SVG is a program, and is none of them.
PICTURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def picture_type(data: bytes) -> str:
    """The type of a picture, by its first bytes only; empty for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for head, kind in PICTURES if data.startswith(head)), "")


def format_details(details: JobDetails) -> str:
    """As JSON text."""
    document = {
        **{name: getattr(details, name) for name in JobDetails.__dataclass_fields__},
        "variables": dict(details.variables),
        "datums": {
            key: [
                each.inputs,
                each.outputs,
                each.has_more_inputs,
                each.more_outputs,
                [[p.path, p.type, _text(p.data), _text(p.before)] for p in each.previews],
            ]
            for key, each in details.datums.items()
        },
    }
    return json.dumps(document, separators=(",", ":"))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def parse_details(text: str | bytes) -> JobDetails:
    """From JSON text.

    :raises ValueError: when it is none.
    """
    try:
        found = json.loads(text)
        datums = {str(key): _datum(row) for key, row in found.pop("datums").items()}
        return JobDetails(
            command=tuple(map(str, found["command"])),
            stdin=tuple(map(str, found["stdin"])),
            image=str(found["image"]),
            variables={str(name): str(value) for name, value in found["variables"].items()},
            network=bool(found["network"]),
            view=str(found["view"]),
            spec_path=str(found["spec_path"]),
            spec_line=int(found["spec_line"]),
            datums=datums,
        )
    except (KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise ValueError(f"these are no details of a job: {error}") from error


def _datum(row: Any) -> DatumDetails:
    inputs, outputs, more_inputs, more_outputs, previews = row
    return DatumDetails(
        inputs=tuple((str(path), int(size)) for path, size in inputs),
        outputs=tuple((str(path), int(size)) for path, size in outputs),
        has_more_inputs=bool(more_inputs),
        more_outputs=int(more_outputs),
        previews=tuple(
            Preview(
                path=str(path),
                type=str(kind),
                data=base64.b64decode(data, validate=True),
                # Earlier versions wrote none.
                before=base64.b64decode("".join(before), validate=True),
            )
            for path, kind, data, *before in previews
        ),
    )
