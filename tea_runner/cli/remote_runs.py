"""Verbs about runs and jobs as clients of a server's API (``--server``)."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click

from tea_runner.cli.follow_remote_log import follow_log
from tea_runner.cli.server_client import ServerClient
from tea_runner.core.datums.datum import shown_label
from tea_runner.core.errors import NotFound, UserError
from tea_runner.present import state_words
from tea_runner.present.visible_text import visible, visible_lines

_PAUSE = 1.0
_SHOWN = 40


def list_runs(
    server: ServerClient, repository: str, state: str | None, number: int, *, as_json: bool
) -> None:
    """``runs``."""
    query: dict[str, object] = {"repository": repository, "per_page": min(number, 500)}
    if state is not None:
        query["state"] = state
    rows: list[Any] = []
    page, more = 1, True
    while more and len(rows) < number:
        found = server.get("runs", page=page, **query)
        rows, more, page = [*rows, *found["runs"]], found["has_more"], page + 1
    if as_json:
        click.echo(json.dumps(rows[:number], indent=1))
        return
    for row in rows[:number]:
        place = f"{row['repository']}  {row['branch']}  {row['commit'][:10]}"
        counts = state_words.counts_text(row["counts"]) or "no datums"
        click.echo(
            visible(f"{_state(row)}  {row['id']}  {place}  {counts}  {row['title']}").rstrip()
        )


def show(server: ServerClient, name: str, *, everything: bool, as_json: bool) -> None:
    """``show``."""
    found = server.get("find", name=name)
    kind = "run" if found["run"] else "job"
    document = server.get(f"{kind}s", found[kind])
    if as_json:
        click.echo(json.dumps(document, indent=1))
        return
    head = f"{kind} {document['id']}  {document['repository']} {document['branch']}"
    click.echo(visible(f"{_state(document)}  {head} {document['commit'][:10]}"))
    click.echo(f"page  {server.url}/{kind}s/{document['id']}")
    parts = document["pipelines"] if kind == "run" else [document]
    datums = []
    for part in parts:
        name = part.get("name") or part["pipeline"]
        if kind == "run":
            counts = state_words.counts_text(part["counts"])
            click.echo(visible(f"{_state(part)}  {name}  {counts}  {part['remark']}").rstrip())
        datums += [(name, datum) for datum in part["datums"]]
    rows = [row for row in datums if everything or row[1]["state"] != "reused"]
    for name, datum in rows if everything else rows[:_SHOWN]:
        why = "; ".join(filter(None, (datum["why"], datum["error"])))
        click.echo(
            visible(f"{datum['state']}: {name} {shown_label(datum['datum'])}  {why}").rstrip()
        )
    if not everything and len(rows) > _SHOWN:
        click.echo(f"… and {len(rows) - _SHOWN} more; --all shows them")


def logs(
    server: ServerClient,
    name: str,
    datum: str | None,
    *,
    failed: bool,
    follow: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """``logs``: of a job, of the jobs of a run, or of the one of a datum."""
    found = server.get("find", name=name)
    jobs = [found["job"]] if found["job"] else _jobs(server, found["run"], datum, failed)
    if as_json:
        rows = [
            {
                "job": job,
                "state": server.get("jobs", job)["state"],
                "log": server.log(job).decode("utf-8", "replace"),
            }
            for job in jobs
        ]
        click.echo(json.dumps(rows[0] if found["job"] else rows, indent=1))
        return
    for job in jobs:
        if len(jobs) > 1:
            click.echo(f"== {job}", err=True)
        _print_log(server, job, follow=follow and len(jobs) == 1, raw=raw)


def _jobs(server: ServerClient, run: str, datum: str | None, failed: bool) -> list[str]:
    """Jobs of a run: all, those of its failed datums, or the one of a datum."""
    document = server.get("runs", run)
    rows = [row for pipeline in document["pipelines"] for row in pipeline["datums"]]
    if datum is not None:
        rows = [row for row in rows if row["datum"] == datum or row["key"].startswith(datum)]
    if failed:
        rows = [row for row in rows if row["state"] == "failed"]
    jobs = list(dict.fromkeys(row["job"] for row in rows if row["job"]))
    if not jobs:
        raise NotFound(f"run {run} has no such job", hint=f"tea-runner show {run} lists its jobs")
    return jobs


def _print_log(server: ServerClient, job: str, *, follow: bool, raw: bool) -> None:
    if not follow:
        piece = server.log(job)
        _print(piece if raw else piece.decode("utf-8", "replace"))
        return
    read = 0
    for place, text in follow_log(server, job):
        # Events have text only.
        read = 0 if place < read else read
        _print(server.log(job, read)[: place - read] if raw else text)
        read = place


def _print(piece: str | bytes) -> None:
    if isinstance(piece, str):
        click.echo(visible_lines(piece), nl=False)
    else:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def cancel(server: ServerClient, name: str, *, as_json: bool) -> None:
    """``cancel``."""
    ended = _act(server, name, "cancel")
    words = [f"{len(jobs)} {word}" for word, jobs in ended.items() if jobs]
    click.echo(json.dumps(ended, indent=1) if as_json else ", ".join(words) or "Nothing to cancel.")


def retry(server: ServerClient, name: str, *, as_json: bool) -> None:
    """``retry``."""
    done = _act(server, name, "retry")
    if as_json:
        document = {**done, "retried": done["datums"]}
        del document["datums"]
        click.echo(json.dumps(document, indent=1))
        return
    run = f" in run {done['run']}" if done["run"] else ""
    click.echo(visible(f"{done['datums']} datums of {done['repository']} will run again{run}"))


def recompute(server: ServerClient, name: str, words: tuple[str, ...], *, as_json: bool) -> None:
    """``recompute``."""
    done = _act(server, name, "recompute", words)
    if as_json:
        click.echo(json.dumps(done, indent=1))
        return
    run = f" in run {done['run']}" if done["run"] else ""
    click.echo(visible(f"{done['repository']} {done['branch']} will be computed again{run}"))


def _act(server: ServerClient, name: str, action: str, words: tuple[str, ...] = ()) -> Any:
    found = server.get("find", name=name)
    kind = "run" if found["run"] else "job"
    if words and kind == "job":
        raise UserError(f"{name} is a job", hint="name its run to recompute single datums")
    body = {"names": list(words)} if (action, kind) == ("recompute", "run") else None
    return server.post(f"{kind}s", found[kind], action, body=body)


def wait(
    server: ServerClient, name: str, timeout: float | None, *, whole_commit: bool, as_json: bool
) -> int:
    """``wait``: the exit code is the result of the run."""
    until = None if timeout is None else time.monotonic() + timeout
    while True:
        row = _latest(server, name, whole_commit)
        in_time = until is None or time.monotonic() < until
        if (row is not None and row["ended"]) or not in_time:
            break
        time.sleep(_PAUSE)
    if as_json:
        click.echo(json.dumps(row, indent=1))
    elif row is not None:
        click.echo(
            visible(f"{row['state']}: {state_words.counts_text(row['counts'])}  {row['id']}")
        )
    if row is None or not row["ended"]:
        return 4
    return 0 if row["state"] in ("done", "reused") else 1


def _latest(server: ServerClient, name: str, whole_commit: bool) -> Any:
    """The head of the run, or of the one that a retry or recompute made after it; None for none yet."""
    try:
        found = server.get("find", name=name)
        while found["next"]:
            found = server.get("find", name=found["next"])
    except NotFound:
        if whole_commit:
            return None
        raise
    if not found["run"]:
        raise UserError(f"{name} is a job", hint="name its run")
    document = server.get("runs", found["run"])
    ours = {"problems", "retries", "lacking", "pipelines"}
    return {field: value for field, value in document.items() if field not in ours}


def _state(row: dict[str, Any]) -> str:
    state = row["state"]
    return f"{state_words.SHAPES.get(state, '')} {state}".strip()
