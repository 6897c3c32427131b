"""Keys in; results that other repositories of the forge have for them, with the place, out.

Only repositories that the operator trusts, and of those only their trusted branches.  A result counts
when its content can be had here: its annexed files stand in a storage that this dataset has as well.
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
from tea_runner.dataset.convert_result import ResultConverter
from tea_runner.dataset.git_objects import ObjectReader, ObjectWriter
from tea_runner.dataset.result_index import ResultIndex

log = logging.getLogger(__name__)


class SharedRepository(Protocol):
    """A repository, as far as another one looks into it."""

    name: str

    @property
    def objects(self) -> ObjectReader:
        """Its git objects."""
        ...

    @property
    def index(self) -> ResultIndex:
        """What its manifests know."""
        ...

    @property
    def converter(self) -> ResultConverter:
        """How its attributes judge outputs."""
        ...

    def refresh(self) -> None:
        """Learn what the forge has now."""
        ...

    def unsettled_results(self, scope: str = "") -> Mapping[str, tuple[str, Result]]:
        """What its jobs have finished and no results commit holds yet."""
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

    where: SharedRepository
    #: ``owner/name@commit``, or the ref of a job that is not settled.
    place: str
    result: Result


class SharedResults:
    """The other repositories that one repository may look into."""

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
        self._fresh: set[str] = set()
        self._named: Sequence[str] | None = None

    def names(self) -> Sequence[str]:
        """The repositories, in the order in which they are asked."""
        if self._named is None:
            try:
                self._named = sorted(set(self._names()) - {self._own})
            except OutsideError as error:
                log.warning(
                    "trusted repositories were not listed: %s",
                    error.message,
                    extra={"repository": self._own},
                )
                return ()
        return self._named

    def forget(self) -> None:
        """Ask the forge again, at the next question."""
        self._fresh.clear()
        self._named = None

    def find(self, keys: Sequence[str], storages: set[str]) -> dict[str, SharedResult]:
        """Results of these keys.

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
                # A repository that does not answer has nothing to give: that is no reason to stop.
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
        if name not in self._fresh:
            other.index.learn()
            other.refresh()
            self._fresh.add(name)
        return other

    def _find_in(
        self, other: SharedRepository, keys: Sequence[str], storages: set[str]
    ) -> dict[str, SharedResult]:
        found: dict[str, SharedResult] = {}
        unsettled = other.unsettled_results()
        other.index.update()
        known = other.index.known(keys)
        for key in keys:
            if key in unsettled:
                ref, result = unsettled[key]
                # Its jobs have stored the content, but nobody has logged it yet.
                found[key] = SharedResult(other, f"{other.name}@{ref}", result)
                continue
            place = other.index.place(key) if key in known else None
            result_there = other.index.result(key) if place else None
            if place is None or result_there is None:
                continue
            if not all(storages & self._where(other, o) for o in _annexed(result_there)):
                continue
            root = other.objects.commit(place.commit).tree
            paths = [o.path for o in result_there.outputs if o.kind != "link"]
            rule = other.converter.attributes_digest(root, place.directory, paths)
            where = f"{other.name}@{place.commit}"
            found[key] = SharedResult(other, where, replace(result_there, rule=rule))
        return found

    @staticmethod
    def _where(other: SharedRepository, output: ResultFile) -> set[str]:
        """Uuids of the places that have an annexed file, as the other's location log says."""
        tip = other.annex_tip()
        root = other.objects.commit(tip).tree if tip else None
        entry = lookup(other.objects.tree, root, log_path(output.name)) if root else None
        data = (other.objects.blob(entry.oid) or b"") if entry else b""
        newest: dict[str, tuple[float, bool]] = {}
        for line in data.decode("utf-8", "replace").splitlines():
            when, _, rest = line.partition("s ")
            there, _, uuid = rest.partition(" ")
            try:
                newest[uuid] = max(newest.get(uuid, (0.0, False)), (float(when), there == "1"))
            except ValueError:
                continue
        return {uuid for uuid, (_, there) in newest.items() if there}

    def close(self) -> None:
        """End the processes behind it."""
        for other in self._opened.values():
            other.close()


def _annexed(result: Result) -> list[ResultFile]:
    return [output for output in result.outputs if output.kind == "annex"]


def bring(
    found: SharedResult, writer: ObjectWriter, present: Callable[[list[str]], bool]
) -> Result | None:
    """The result with its objects in another repository.

    :param present: whether all of these annex keys are in the storage there.
    :returns: None when some of its content is not to be had.
    :raises OutsideError: when the forge or the storage does not answer.
    """
    keys = [output.name for output in _annexed(found.result)]
    if keys and not present(keys):
        return None
    objects = found.where.objects
    kept = [output for output in found.result.outputs if output.kind != "annex"]
    objects.fetch_blobs(output.name for output in kept)
    outputs = []
    for output in found.result.outputs:
        if output.kind == "annex":
            outputs.append(output)
            continue
        data = objects.blob(output.name)
        if data is None:
            return None
        outputs.append(replace(output, name=writer.add("blob", data), size=len(data)))
    writer.flush()
    return replace(found.result, outputs=tuple(outputs))
