"""Shell commands that repeat a job on any computer, from an empty folder on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tea_runner.core.git.special_remote_fields_shown import SHOWN_FIELDS, without_password

#: Storages that each clone has, without more words.
_BUILT_IN = frozenset({"origin", "web", "bittorrent"})


@dataclass(frozen=True, kw_only=True)
class StorageAddress:
    """A special remote that the server uses, as the settings describe it."""

    name: str
    uuid: str = ""
    options: tuple[tuple[str, str], ...] = ()
    #: Environment variables with its credentials.
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FinishedJob:
    """A job to be repeated, and where its dataset is."""

    #: URL of the repository for git.
    remote: str
    repository: str
    #: The commit that the job looked at.
    commit: str
    pipeline: str
    #: The results commit; empty without one.
    results: str = ""
    #: Key of the job's first datum, by which its run record is found.
    key: str = ""
    #: Labels of its datums, and the image that its pipeline file does not name by digest.
    labels: Sequence[str] = ()
    image: str = ""
    #: Values of variables that somebody had set.
    variables: Sequence[tuple[str, str]] = ()
    storages: Sequence[StorageAddress] = ()


def repeat_commands(job: FinishedJob) -> list[str]:
    """Commands for ``bash -e``: they clone the dataset, enable its storages and repeat the job.

    With a results commit, DataLad repeats the run record; without one, tea-runner runs the job's datums.
    """
    name = job.repository.rpartition("/")[2] or job.repository
    lines = [f"git clone {shlex.quote(job.remote)} {shlex.quote(name)}", f"cd {shlex.quote(name)}"]
    if job.results:
        lines.append(f"git checkout -q {shlex.quote(job.results)}")
    else:
        lines.append(f"git checkout -q -b again {shlex.quote(job.commit)}")
    lines += [
        f"git config user.{what} >/dev/null || "
        f"export GIT_AUTHOR_{what.upper()}={default} GIT_COMMITTER_{what.upper()}={default}"
        for what, default in (("name", "me"), ("email", "me@localhost"))
    ]
    if job.results:
        grep = f" --grep={shlex.quote(f'Tea-Key: {job.key}')}" if job.key else ""
        lines.append(f"record=$(git log -1 --format=%H{grep})")
    storages = [storage for storage in job.storages if storage.name not in _BUILT_IN]
    if storages:
        lines += [
            "enable_storages() {",
            *(f"  {line}" for each in storages for line in _enable(each)),
        ]
        lines += ["}", "enable_storages"]
    if storages and job.results:
        # Inputs in subdatasets: the record names them.
        lines += [
            "git ls-files -s | sed -n 's/^160000 .*\\t//p' | while read -r sub; do",
            """  git show -s --format=%B "$record" | grep -qF '"'"$sub" || continue""",
            '  datalad get -n "$sub" </dev/null',
            '  (cd "$sub" && enable_storages) </dev/null',
            "done",
        ]
    if job.results:
        lines.append('datalad rerun "$record"')
    else:
        lines.append(_run(job))
    return lines


def _run(job: FinishedJob) -> str:
    if not job.labels:
        return f"tea-runner run {shlex.quote(job.pipeline)}"
    words = ["tea-runner", "exec", "--pipeline", job.pipeline]
    words += ["--image", job.image] if job.image else []
    words += [word for name, value in job.variables for word in ("--var", f"{name}={value}")]
    return shlex.join([*words, "--", *job.labels])


def _enable(storage: StorageAddress) -> Iterator[str]:
    """Enable a storage if the dataset has it, and tell git-annex that it is the one that is meant."""
    remote = shlex.quote(storage.uuid or storage.name)
    mark = shlex.quote(f"{storage.uuid} " if storage.uuid else f" name={storage.name} ")
    words = [
        shlex.quote(f"{name}={without_password(value)}")
        for name, value in storage.options
        if name in SHOWN_FIELDS
    ]
    if storage.variables:
        yield f"# Storage {storage.name} needs credentials in {', '.join(storage.variables)}."
    yield f"if git show origin/git-annex:remote.log | grep -qF {mark}; then"
    yield f"  git annex enableremote {' '.join([remote, *words])}"
    yield f"  safe=$(git annex verifyremote {remote} | sed -n 's/.* --safe \\([0-9]*\\).*/\\1/p')"
    yield f'  [ -z "$safe" ] || git annex verifyremote {remote} --safe "$safe"'
    yield "fi"
