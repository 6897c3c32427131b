"""The picture that an output replaces, for the page of its datum."""

from __future__ import annotations

from collections.abc import Callable

from tea_runner.core.datums.file_fact import LinkedFile
from tea_runner.core.errors import TeaError, UserError
from tea_runner.core.planning.job_and_datum_details import picture_type
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.flow.commit_reader import CommitReader

#: Annexed pictures that are fetched for one job.
_FETCHES = 20


def previous_picture(
    repository: GitDataset, tip: CommitReader, most: int
) -> Callable[[str], bytes]:
    """A function from the path of an output to the picture that the commit has there; empty for none.

    Costs one object of git for each path, and for an annexed file of at most *most* bytes one fetch; after
    :data:`_FETCHES`, and after one that failed, it reads none any more.
    """
    left = _FETCHES

    def read(path: str) -> bytes:
        nonlocal left
        if not left:
            return b""
        try:
            fact = tip.files.fact(path)
            if isinstance(fact, LinkedFile) or not 0 <= fact.content.size <= most:
                return b""
            if fact.key is not None:
                left -= 1
                files = repository.prepared_annex().get([fact.key])
                data = files[fact.key].read_bytes()
            else:
                data = repository.objects.blob(fact.oid) or b""
        except UserError:  # there is none
            return b""
        except (TeaError, OSError, KeyError):
            # It is a help for people only: what cannot be read is not shown.
            left = 0
            return b""
        return data if picture_type(data) else b""

    return read
