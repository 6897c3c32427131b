"""Results of a job that are not on the forge yet: kept in the mirror while they cannot be sent.

What fails after the commands (storage, forge) is repeated by itself.  A worker that has to leave the job
meanwhile leaves them to the next worker of this host, which sends them and runs no command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tea_runner.core.errors import Cancelled, OutsideError, Superseded
from tea_runner.core.git.tree import PLAIN, TREE, TreeEntry
from tea_runner.core.planning.job import Job
from tea_runner.core.results.result import Result, format_results
from tea_runner.dataset.dataset_base import GitDataset
from tea_runner.dataset.job_result_refs import RESULTS
from tea_runner.dataset.object_writer import ObjectWriter
from tea_runner.host.fault_point import step

#: Refs of the mirror that no forge sees.
_KEPT = "refs/tea-kept/"

#: Called with each error of the outside: waits for the next try, or raises.
Again = Callable[[OutsideError], None]


#: Called with a results commit and its results before another try; returns what is to be sent now.
Renew = Callable[[str, Sequence[Result]], tuple[str, Sequence[Result]]]


def give_up(error: OutsideError) -> None:
    """Raise the error: nothing is tried again here."""
    raise error


class UnpushedResults:
    """Sends the results of jobs of one repository to storage and forge.

    :param author: of commits with results, ``Name <address>``.
    """

    def __init__(self, repository: GitDataset, author: str) -> None:
        self._repository = repository
        self._author = author

    def publish(
        self,
        job: Job,
        commit: str,
        results: Sequence[Result],
        holds_claim: Callable[[], bool],
        again: Again,
        renew: Renew,
    ) -> tuple[str, Sequence[Result]]:
        """Send the content of results, and then publish their commit under the job's ref.

        :param commit: holds the results; all of its objects are in the mirror.
        :returns: the commit and the results that are published.
        :raises OutsideError: when *again* gives up.
        :raises Superseded: when no branch waits for them any more.
        :raises Cancelled: when another worker has the job by now.
        """
        sent = is_kept = False
        while True:
            try:
                if not sent:
                    with step("store"):
                        keys = [key for result in results for key in _written(result)]
                        self._repository.prepared_annex().send(keys)
                    sent = True
                if not holds_claim():
                    raise Cancelled("another worker has the job by now")
                with step("publish"):
                    self._repository.put_results(job.ref, commit)
            except OutsideError as error:
                if not is_kept:
                    self._keep(job, commit)
                    is_kept = True
                try:
                    again(error)
                except Superseded:
                    self.forget(job)
                    raise
                before = commit
                commit, results = renew(commit, results)
                if commit != before:
                    self._keep(job, commit)
                    sent = False
            else:
                break
        if is_kept:
            self.forget(job)
        return commit, results

    def _keep(self, job: Job, commit: str) -> None:
        self._repository.repository.git("update-ref", _KEPT + job.id, commit)

    def write(self, job: Job, writer: ObjectWriter, results: Sequence[Result]) -> str:
        """Write results as a commit into the mirror."""
        data = format_results(results)
        entries = {RESULTS: TreeEntry(PLAIN, writer.add("blob", data))}
        outputs = (output for result in results for output in result.outputs)
        blobs = {o.name: TreeEntry(PLAIN, o.name) for o in outputs if o.kind != "annex"}
        if blobs:
            entries["blobs"] = TreeEntry(TREE, writer.tree(blobs))
        title = f"tea-runner: results of job {job.id}"
        message = self._repository.job_results.message(job.ref, title, data)
        commit = writer.commit(writer.tree(entries), [], message, who=self._author, seconds=0)
        writer.flush()
        return commit

    def kept(self, job: Job) -> tuple[str, Sequence[Result]]:
        """Commit and results of an earlier attempt on this host; empty for none."""
        name = _KEPT + job.id
        found = self._repository.repository.git("for-each-ref", "--format=%(objectname)", name)
        commit = found.decode().strip()
        results = self._repository.job_results.at(job.ref, commit) if commit else ()
        return (commit, results) if results else ("", ())

    def forget(self, job: Job) -> None:
        """Remove what is kept of a job."""
        self._repository.repository.git("update-ref", "-d", _KEPT + job.id)


def _written(result: Result) -> list[str]:
    """Annex keys of the outputs that the command wrote; those of inputs are where they were."""
    keys = [output.name for output in result.outputs if output.kind == "annex"]
    return [key for key in keys if key not in result.linked]
