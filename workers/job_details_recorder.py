"""Notes what a job ran, read and wrote, for pages; pictures and texts that are small are kept as previews."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from tea_runner.core.planning.job_and_datum_details import (
    MOST_FILES,
    DatumDetails,
    JobDetails,
    Preview,
    picture_type,
)
from tea_runner.dataset.save_outputs import FileToSave
from tea_runner.flow.pipeline_datums import PipelineInputs
from workers.run_datums import ComputedDatum

#: Bytes of a picture that is kept, of the beginning of a text, and of all previews of a job.
MOST_PICTURE, _TEXT, _ALL = 48 * 1024, 1024, 512 * 1024
#: Lines of a text, and previews of one datum.
_LINES, _PREVIEWS = 6, 3
_TEXTS = (".csv", ".tsv", ".txt", ".json", ".md", ".yml", ".yaml", ".log")


class DetailsRecorder:
    """The details of one job.

    :param inputs: of its pipeline.
    :param former: the picture at a path before the job, see :func:`previous_picture`.
    """

    def __init__(
        self,
        inputs: PipelineInputs | None = None,
        former: Callable[[str], bytes] = lambda _: b"",
    ) -> None:
        self._former = former
        self._pipeline = inputs.pipeline if inputs is not None else None
        self._datums: dict[str, DatumDetails] = {}
        self._left = _ALL

    def add_inputs(self, computed: ComputedDatum) -> None:
        """Note what a datum has read; what was noted of its outputs is forgotten."""
        self._datums[computed.item.key] = DatumDetails(
            inputs=tuple(computed.inputs[:MOST_FILES]),
            has_more_inputs=len(computed.inputs) > MOST_FILES,
        )

    def add_outputs(self, computed: ComputedDatum) -> None:
        """Note what a datum has written, before it is saved, which may take the files away."""
        files = computed.files
        paths = [f"{computed.directory}/{file.path}".strip("/") for file in files]
        self._datums[computed.item.key] = replace(
            self._datums.get(computed.item.key, DatumDetails()),
            outputs=tuple(
                (path, file.size) for path, file in zip(paths[:MOST_FILES], files, strict=False)
            ),
            more_outputs=max(0, len(files) - MOST_FILES),
            previews=tuple(self._previews(paths, files)),
        )

    def _previews(self, paths: list[str], files: Sequence[FileToSave]) -> list[Preview]:
        found: list[Preview] = []
        for path, file in zip(paths, files, strict=True):
            if len(found) == _PREVIEWS or self._left <= 0:
                break
            if (
                file.link
                or file.same_as is not None
                or (file.size > MOST_PICTURE and not _is_text(path))
            ):
                continue
            with contextlib.suppress(OSError):
                preview = _preview(path, file)
                if preview is not None:
                    preview = self._with_former(preview)
                    self._left -= len(preview.data) + len(preview.before)
                    found.append(preview)
        return found

    def _with_former(self, preview: Preview) -> Preview:
        if preview.type == "text/plain":
            return preview
        before = self._former(preview.path)
        return preview if before == preview.data else replace(preview, before=before)

    def details(self) -> JobDetails:
        """What was noted."""
        pipeline = self._pipeline
        if pipeline is None:
            return JobDetails(datums=self._datums)
        transform = pipeline.transform
        return JobDetails(
            command=transform.cmd,
            stdin=transform.stdin,
            image=transform.image,
            variables=dict(transform.env),
            network=transform.network,
            view=pipeline.view,
            spec_path=pipeline.spec_path,
            spec_line=pipeline.spec_line,
            datums=self._datums,
        )


def _is_text(path: str) -> bool:
    return path.lower().endswith(_TEXTS)


def _preview(path: str, file: FileToSave) -> Preview | None:
    """A picture as it is, the beginning of a text, or nothing."""
    with file.file.open("rb") as opened:
        head = opened.read(_TEXT)
        kind = picture_type(head)
        if kind and file.size <= MOST_PICTURE:
            return Preview(path=path, type=kind, data=head + opened.read(MOST_PICTURE))
    if kind or not _is_text(path) or b"\0" in head:
        return None
    lines = b"\n".join(head.split(b"\n")[:_LINES])
    return Preview(path=path, type="text/plain", data=lines) if lines else None
