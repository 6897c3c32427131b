"""Results that other repositories of the forge have, for use in this one.

Only trusted branches of repositories that the operator trusts are used.  A result counts when its content is
available here: its annexed files are in a storage that this dataset has, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tea_runner.core.errors import OutsideError, TeaError
from tea_runner.core.git.annex_paths import log_path
from tea_runner.core.git.tree import lookup
from tea_runner.core.results.result import Result, ResultFile
from tea_runner.core.results.run_conditions import TRUSTED
from tea_runner.core.results.signed_manifest_row import SignedResult
from tea_runner.dataset.convert_result_storage import ResultConverter
from tea_runner.dataset.object_reader import ObjectReader
from tea_runner.dataset.object_writer import ObjectWriter
from tea_runner.dataset.result_index import ResultIndex

log = logging.getLogger(__name__)


class SharedRepository(Protocol):
    """A repository whose results another one uses."""

    name: str

    @property
    def objects(self) -> ObjectReader:
        """Its git objects."""
        ...

    @property
    def index(self) -> ResultIndex:
        """The results that its manifests know."""
        ...

    @property
    def converter(self) -> ResultConverter:
        """Evaluates its attributes for outputs."""
        ...

    def refresh(self) -> None:
        """Fetch what is new on the forge."""
        ...

    def unsettled_results(self, scope: str = "") -> Mapping[str, tuple[str, Result]]:
        """Results of its jobs that no results commit holds yet."""
        ...

    def annex_tip(self) -> str | None:
        """The tip of its ``git-annex`` branch."""
        ...

    def close(self) -> None:
        """End the processes behind it."""
        ...


@dataclass(frozen=True)
class SharedResult:
    """A result of another repository."""

    repository: SharedRepository
    #: ``owner/name@commit``, or ``owner/name@ref`` of an unsettled job.
    source: str
    result: Result


class SharedResults:
    """The other repositories whose results one repository may use.

    :param own: name of that one repository.
    :param names: lists the others; asked once until :meth:`expire`.
    :param open_other: opens a repository by name.
    """

    def __init__(
        self,
        own: str,
        names: Callable[[], Iterable[str]],
        open_other: Callable[[str], SharedRepository],
    ) -> None:
        self._own = own
        self._names = names
        self._open = open_other
        self._opened: dict[str, SharedRepository] = {}
        #: Repositories that were refreshed since the last :meth:`expire`.
        self._refreshed: set[str] = set()
        self._listed: Sequence[str] | None = None

    def names(self) -> Sequence[str]:
        """Names of the repositories, in the order in which they are searched."""
        if self._listed is None:
            try:
                self._listed = sorted(set(self._names()) - {self._own})
            except OutsideError as error:
                log.warning(
                    "trusted repositories were not listed: %s",
                    error.message,
                    extra={"repository": self._own},
                )
                return ()
        return self._listed

    def expire(self) -> None:
        """List and refresh the repositories again at the next search."""
        self._refreshed.clear()
        self._listed = None

    def find(self, keys: Sequence[str], storages: set[str]) -> dict[str, SharedResult]:
        """Search for results of keys; a repository that does not answer is left out.

        :param storages: uuids of the storages that the dataset has.
        """
        found: dict[str, SharedResult] = {}
        for name in self.names():
            rest = [key for key in keys if key not in found]
            if not rest:
                break
            try:
                found.update(self._find_in(self._other(name), rest, storages))
            except TeaError as error:
                log.warning(
                    "results of %s were not read: %s",
                    name,
                    error.message,
                    extra={"repository": self._own},
                )
        return found

    def _other(self, name: str) -> SharedRepository:
        if name not in self._opened:
            self._opened[name] = self._open(name)
        other = self._opened[name]
        if name not in self._refreshed:
            other.index.update()
            other.refresh()
            self._refreshed.add(name)
        return other

    def _find_in(
        self, other: SharedRepository, keys: Sequence[str], storages: set[str]
    ) -> dict[str, SharedResult]:
        found: dict[str, SharedResult] = {}
        unsettled = other.unsettled_results()
        other.index.update()
        known = other.index.find([key for key in keys if key not in unsettled], accepts=_is_trusted)
        for key in keys:
            if key in unsettled:
                ref, unlogged = unsettled[key]
                # Its job has stored the content, which no location log states yet.
                found[key] = SharedResult(other, f"{other.name}@{ref}", unlogged)
                continue
            if key not in known:
                continue
            signed, location = known[key]
            result = signed.result
            if not all(storages & _logged_locations(other, o) for o in _annexed(result)):
                continue
            root = other.objects.commit(location.commit).tree
            rule = other.converter.attributes_digest(root, location.directory, result)
            source = f"{other.name}@{location.commit}"
            found[key] = SharedResult(other, source, replace(result, rule=rule))
        return found

    def close(self) -> None:
        """End the processes behind it."""
        for other in self._opened.values():
            other.close()


def _logged_locations(other: SharedRepository, output: ResultFile) -> set[str]:
    """Uuids of the storages with an annexed file, from its location log (git-annex, "internals")."""
    tip = other.annex_tip()
    root = other.objects.commit(tip).tree if tip else None
    entry = lookup(other.objects.tree, root, log_path(output.name)) if root else None
    data = (other.objects.blob(entry.oid) or b"") if entry else b""
    newest: dict[str, tuple[float, bool]] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        timestamp, _, rest = line.partition("s ")
        present, _, uuid = rest.partition(" ")
        try:
            status = (float(timestamp), present == "1")
        except ValueError:
            continue
        newest[uuid] = max(newest.get(uuid, (0.0, False)), status)
    return {uuid for uuid, (_, is_present) in newest.items() if is_present}


def _is_trusted(signed: SignedResult) -> bool:
    return signed.ran == TRUSTED


def _annexed(result: Result) -> list[ResultFile]:
    return [output for output in result.outputs if output.kind == "annex"]


def copy_result(
    shared: SharedResult, writer: ObjectWriter, present: Callable[[list[str]], bool]
) -> Result | None:
    """Copy a result's git objects into another repository and return the result.

    :param present: whether all of these annex keys are in a storage of that repository.
    :returns: None when some of its content is not available.
    :raises OutsideError: when the forge or the storage does not answer.
    """
    keys = [output.name for output in _annexed(shared.result)]
    if keys and not present(keys):
        return None
    objects = shared.repository.objects
    kept = [output for output in shared.result.outputs if output.kind != "annex"]
    objects.fetch_blobs(output.name for output in kept)
    outputs = []
    for output in shared.result.outputs:
        if output.kind == "annex":
            outputs.append(output)
            continue
        data = objects.blob(output.name)
        if data is None:
            return None
        outputs.append(replace(output, name=writer.add("blob", data), size=len(data)))
    writer.flush()
    return replace(shared.result, outputs=tuple(outputs))
