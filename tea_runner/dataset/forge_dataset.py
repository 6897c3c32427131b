"""A dataset on a forge, read through a mirror."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from tea_runner.core.errors import OutsideError
from tea_runner.core.git.annex_paths import lower_directory
from tea_runner.core.git.branch_kinds import is_pull_request_branch
from tea_runner.core.git.branch_results_scope import scope_of
from tea_runner.core.git.pull_request import PULL_HEADS
from tea_runner.core.git.tree import lookup
from tea_runner.core.results.results_branch import BranchTips, ResultsPlace
from tea_runner.dataset.annex_content import Annex
from tea_runner.dataset.annex_objects import AnnexObjects
from tea_runner.dataset.annex_program import AnnexProgram
from tea_runner.dataset.archived_content import ArchivedContent
from tea_runner.dataset.content_storage import SpecialRemotes
from tea_runner.dataset.dataset_base import GitDataset, TrustedBranches, every_branch
from tea_runner.dataset.fetchable_annex_keys import OwnKeys
from tea_runner.dataset.job_result_refs import JobResultRefs
from tea_runner.dataset.mirror import Mirror
from tea_runner.dataset.pull_request_approvals import PullApprovals
from tea_runner.dataset.result_index import ResultIndex
from tea_runner.dataset.results_branches_on_forge import OwnResultsBranches
from tea_runner.dataset.shared_results import SharedResults
from tea_runner.dataset.special_remote_policy import Storage
from tea_runner.dataset.verify_manifest_signatures import ManifestProofs
from tea_runner.host.fault_point import step
from tea_runner.ports.dataset import RefUpdate, Subdatasets

log = logging.getLogger(__name__)


class ForgeLinks(Subdatasets, Protocol):
    """Subdatasets on a forge."""

    def restricted(
        self, trusted_gitmodules: Callable[[], Iterable[Sequence[bytes]]]
    ) -> Subdatasets:
        """The same for branches that are not trusted.

        :param trusted_gitmodules: ``.gitmodules`` and ``.datalad/config`` of the trusted branches.
        """
        ...


class ForgeDataset(GitDataset):
    """A dataset on a forge: its mirror, its known results, and its annex in the mirror."""

    branches = "refs/remotes/origin/"
    is_clone = False

    def __init__(
        self,
        name: str,
        mirror: Mirror,
        storages: Sequence[Storage] = (),
        *,
        trusted: TrustedBranches = every_branch,
        secret: bytes = b"",
        sign: Callable[[bytes], bytes] | None = None,
        list_refs: Callable[[], Mapping[str, str] | None] | None = None,
        subdatasets: ForgeLinks | None = None,
        shared_results: SharedResults | None = None,
        storage_conflict: Callable[[str], str] = lambda _: "",
        proofs: ManifestProofs | None = None,
        results_place: ResultsPlace = "beside",
        pull_refs: str = PULL_HEADS,
    ) -> None:
        """Make a dataset.

        :param storages: special remotes that the operator opened to this repository.
        :param storage_conflict: why the dataset may not use a storage of this name that others use as
            well, as a sentence; empty when it may.
        :param trusted: see :data:`~tea_runner.dataset.dataset_base.TrustedBranches`.
        :param secret: key of the seal with which workers sign results of jobs.
        :param sign: signs results commits; without it they are unsigned.
        :param list_refs: returns the forge's refs that a fetch would bring, with their ids, in one
            request; None where the forge's API has no such request.
        :param proofs: decides which manifests count; without it signatures are not required.
        :param results_place: where results of branches that are not trusted go.
        :param pull_refs: refs of pull requests on the forge; ``*`` stands for the number.
        """
        #: Credentials of its storages.
        self.storage_variables = {
            name: value for storage in storages for name, value in storage.env.items()
        }
        program = AnnexProgram(
            mirror.git_dir, mirror.git_dir, mirror.environment, self.storage_variables
        )
        objects = AnnexObjects(
            mirror.git_dir,
            hash_directory=lower_directory,
            bad_directory=mirror.git_dir / "annex" / "bad",
        )
        self.mirror = mirror
        self.results_place = results_place
        self.approvals = PullApprovals(name, mirror, secret, pull_refs)
        self.beside = OwnResultsBranches(name, mirror, secret)
        self.remotes = SpecialRemotes(program, storages, storage_conflict, insert=objects.insert)
        self._list_refs = list_refs
        #: Of branches that are not trusted.
        self.untrusted_subdatasets = (
            subdatasets.restricted(self._trusted_gitmodules) if subdatasets is not None else None
        )
        self._gitmodules: tuple[tuple[str, ...], list[tuple[bytes, bytes]]] = ((), [])
        job_results = JobResultRefs(name, mirror, secret)
        remotes = self.remotes
        own_keys = OwnKeys(mirror, f"{self.branches}git-annex", job_results, lambda: remotes.names)
        super().__init__(
            name,
            mirror,
            Annex(
                program,
                objects,
                remotes,
                own_keys.among,
                ArchivedContent(
                    mirror,
                    f"{self.branches}git-annex",
                    objects,
                    mirror.git_dir / "annex" / "tmp",
                ),
            ),
            open_index=lambda trusted: _open_index(mirror, trusted, proofs),
            job_results=job_results,
            own_keys=own_keys,
            trusted=trusted,
            sign=sign,
            subdatasets=subdatasets,
            shared_results=shared_results,
            proofs=proofs,
            secret=secret,
        )

    def subdatasets_of(self, scope: str) -> Subdatasets | None:
        """See :meth:`GitDataset.subdatasets_of`."""
        return self.untrusted_subdatasets if scope else self.subdatasets

    def _trusted_gitmodules(self) -> list[tuple[bytes, bytes]]:
        """``.gitmodules`` and ``.datalad/config`` of the tips of the trusted branches.

        :raises OutsideError: when the forge does not say which branches are trusted.
        """
        trusted = self._trusted("")
        tips = tuple(
            oid
            for ref, oid in self.repository.refs(self.branches).items()
            if not scope_of(ref.removeprefix(self.branches), trusted)
        )
        if tips != self._gitmodules[0]:
            names = (".gitmodules", ".datalad/config")
            pairs = [(self._file(tip, names[0]), self._file(tip, names[1])) for tip in tips]
            self._gitmodules = (tips, [pair for pair in pairs if pair[0]])
        return self._gitmodules[1]

    def _file(self, commit: str, name: str) -> bytes:
        """A file of a commit; empty when there is none."""
        entry = lookup(self.objects.tree, self.objects.commit(commit).tree, name)
        return (self.objects.blob(entry.oid) or b"") if entry is not None else b""

    def close(self) -> None:
        """End the processes behind it."""
        super().close()
        if self.untrusted_subdatasets is not None:
            self.untrusted_subdatasets.close()
            # It refers to this dataset.
            self.untrusted_subdatasets = None

    def refresh(self, *, expected: bool = True) -> None:
        """Fetch what is new on the forge.

        :param expected: whether there probably is something new; if not, the forge's list of refs,
            which takes a small part of the time of a fetch, may show that there is nothing.
        :raises OutsideError: when the forge does not answer.
        """
        if expected or not self._is_current():
            self.mirror.fetch()
        if self.shared_results is not None:
            self.shared_results.expire()

    def _is_current(self) -> bool:
        remote_refs = self._list_refs() if self._list_refs is not None else None
        if remote_refs is None:
            return False
        self.mirror.ensure()
        fetched = (self.branches, "refs/tea/")
        return {
            ref: oid for ref, oid in self.mirror.refs("refs/").items() if ref.startswith(fetched)
        } == {self._local_ref(ref): oid for ref, oid in remote_refs.items()}

    def _local_ref(self, ref: str) -> str:
        """The mirror's name of a ref of the forge."""
        return ref.replace("refs/heads/", self.branches, 1)

    def prepared_annex(self) -> Annex:
        """See :meth:`GitDataset.prepared_annex`."""
        self.remotes.enable(self.remote_log())
        return self.annex

    def tip(self, branch: str) -> str | None:
        """See :meth:`GitDataset.tip`.

        :raises Refused: when the branch is that of a pull request, and its commit was not approved.
        """
        commit = super().tip(branch)
        if commit is not None and is_pull_request_branch(branch):
            self.approvals.require(branch, commit)
        return commit

    def publish(self, updates: Sequence[RefUpdate]) -> bool:
        """See :meth:`GitDataset.publish` and :meth:`Mirror.push`.

        A results commit on an approved commit of a pull request is approved with it, and one beside a
        branch is sealed.
        """
        updates = [
            *updates,
            *self.approvals.following(updates),
            *self.beside.following(updates),
        ]
        with step(_step_name(updates)):
            done = self.mirror.push(updates)
        if done:
            self._update_mirror(updates)
        return done

    def _is_ours(self, branch: str, commit: str) -> bool:
        return self.beside.is_ours(branch, commit)

    def publish_output(self, tips: BranchTips) -> str | None:
        """See :meth:`GitDataset.publish_output`."""
        updates = self.beside.output(tips)
        if isinstance(updates, str):
            return updates
        if not updates or self.publish(updates):
            return ""
        self.refresh()
        return None

    def remove_results(self, branch: str) -> None:
        """See :meth:`GitDataset.remove_results`."""
        updates = self.beside.removal(branch)
        try:
            if updates:
                self.publish(updates)
        except OutsideError as error:
            log.warning(
                "results beside %s were not deleted: %s",
                branch,
                error.message,
                extra={"repository": self.name},
            )

    def _update_mirror(self, updates: Sequence[RefUpdate]) -> None:
        """Move the mirror's refs as those of the forge; git has done so for some."""
        refs = self.mirror.refs("refs/")
        lines = []
        for ref, new, _ in updates:
            local = self._local_ref(ref)
            if refs.get(local, "") != new:
                lines.append(f"update {local} {new}" if new else f"delete {local}")
        if lines:
            self.mirror.update(lines)


def _open_index(
    mirror: Mirror, trusted: Sequence[str], proofs: ManifestProofs | None
) -> ResultIndex:
    mirror.ensure()
    return ResultIndex(
        mirror, ForgeDataset.branches, trusted=trusted, update_refs=mirror.update, proofs=proofs
    )


def _step_name(updates: Sequence[RefUpdate]) -> str:
    """Name of a push for the step hook."""
    if any(ref.startswith("refs/heads/") for ref, _, _ in updates):
        return "settle"
    return "push" if any(new for _, new, _ in updates) else "discard"
