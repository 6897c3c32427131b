"""Deliveries: recorded ones of a real Gitea, and malformed ones."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from tea_runner.core.deliveries.delivery_events import (
    DeliveryError,
    Ignored,
    PullRequestEvent,
    PushEvent,
    reason_to_ignore,
)
from tea_runner.core.deliveries.delivery_signature import dialect, is_signed
from tea_runner.core.deliveries.gitea_delivery import parse_gitea_delivery
from tea_runner.core.deliveries.registered_webhook import is_repository_name, matches_repository

RECORDED = Path(__file__).parent / "deliveries"
AFTER = "4bb71d674bc20617b13042dfcd1f64d75949cb69"


def recorded(event: str) -> tuple[dict[str, str], bytes]:
    """Headers and body as Gitea 1.26.3 sent them; the hook's secret was ``s``."""
    said = json.loads((RECORDED / f"gitea-1.26-{event}.json").read_text(encoding="utf-8"))
    return dict(said["headers"]), said["body"].encode()


@pytest.mark.parametrize("event", ["push", "create", "delete"])
def test_the_signature_of_a_real_gitea_fits(event: str) -> None:
    """The HMAC is over the raw body, in lower-case hex, without a prefix."""
    headers, body = recorded(event)
    signature = headers[dialect("gitea", headers).signature]
    assert is_signed(body, signature, ["s"])
    assert is_signed(body, signature, ["new", "s"])
    assert not is_signed(body, signature, ["t"])
    assert not is_signed(body + b" ", signature, ["s"])


def test_gogs_has_headers_of_its_own() -> None:
    """Gitea sends them too; a hook of kind ``gogs`` reads these alone."""
    headers, body = recorded("push")
    names = dialect("gogs", headers)
    assert ("X-Gogs-Event", "X-Gogs-Delivery") == (names.event, names.delivery)
    assert is_signed(body, headers[names.signature], ["s"])


def test_a_push_of_a_real_gitea_is_three_facts() -> None:
    """Repository, ref and new tip are kept, whatever else the delivery says."""
    headers, body = recorded("push")
    assert parse_gitea_delivery(headers["X-Gitea-Event"], body) == PushEvent(
        repository="admin/r", repository_id=1, ref="refs/heads/main", after=AFTER
    )


def test_a_deleted_branch_is_a_push_to_nothing() -> None:
    """Gitea sends no push for it, but a delete with the branch's short name."""
    _, body = recorded("delete")
    assert parse_gitea_delivery("delete", body) == PushEvent(
        repository="admin/r", repository_id=1, ref="refs/heads/n", after="0" * 40, deleted=True
    )


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"action": "opened", "number": 7}, 7),
        ({"action": "synchronized", "number": 8}, 8),
        ({"action": "assigned", "number": 7}, None),
        ({"number": 7}, None),
    ],
)
def test_a_pull_request_is_its_number(payload: dict[str, object], expected: int | None) -> None:
    """Its commit is asked of the forge; what changes nothing that counts is ignored."""
    body = json.dumps({"repository": {"full_name": "lab/a", "id": 3}, **payload}).encode()
    found = parse_gitea_delivery("pull_request", body)

    if expected is None:
        assert isinstance(found, Ignored)
    else:
        assert PullRequestEvent(repository="lab/a", repository_id=3, number=expected) == found


@pytest.mark.parametrize("number", [None, 0, -1, True, "7", 1.5, 10**9])
def test_a_pull_request_without_a_number_is_refused(number: object) -> None:
    """It becomes the name of a branch."""
    payload = {"repository": {"full_name": "lab/a"}, "action": "opened", "number": number}
    with pytest.raises(DeliveryError):
        parse_gitea_delivery("pull_request", json.dumps(payload).encode())


def test_other_events_are_ignored_unread() -> None:
    """The body of an event that is not for us is not even parsed."""
    assert parse_gitea_delivery("create", b"[") == Ignored(reason="event 'create'")
    assert parse_gitea_delivery("", b"[") == Ignored(reason="event missing")


@pytest.mark.parametrize(
    "signature",
    ["", "0" * 63, "0" * 65, "é" * 64, "sha256=" + "0" * 64, "\u0660" * 64],
)
def test_a_signature_of_another_shape_never_fits(signature: str) -> None:
    """Only 64 lower-case hexadecimal digits are looked at."""
    assert not is_signed(b"x", signature, ["s"])


def test_an_upper_case_signature_does_not_fit() -> None:
    """The right digits in upper case are not the right bytes."""
    right = hmac.new(b"s", b"x", hashlib.sha256).hexdigest()
    assert is_signed(b"x", right, ["s"])
    assert not is_signed(b"x", right.upper(), ["s"])


def test_an_empty_secret_signs_nothing() -> None:
    """Not even what was signed with an empty secret."""
    right = hmac.new(b"", b"x", hashlib.sha256).hexdigest()
    assert not is_signed(b"x", right, [""])
    assert not is_signed(b"x", right, [])


def test_forgejos_own_headers_come_first() -> None:
    """Forgejo sends Gitea's headers too; its own are the ones that are read."""
    both = {"X-Forgejo-Signature": "a", "X-Gitea-Signature": "b"}
    assert dialect("gitea", both).event == "X-Forgejo-Event"
    assert dialect("gitea", {"X-Gitea-Signature": "b"}).event == "X-Gitea-Event"


def push(ref: str) -> bytes:
    """A correct delivery of a push to this ref."""
    repository = {"id": 1, "full_name": "lab/edges"}
    return json.dumps({"ref": ref, "after": AFTER, "repository": repository}).encode()


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ("refs/heads/git-annex", "branch git-annex is maintained by git-annex"),
        ("refs/heads/synced/main", "branch synced/main is maintained by git-annex"),
        ("refs/heads/tea/results/x", "branch tea/results/x is maintained by tea-runner"),
        ("refs/heads/tea/results", "branch tea/results is maintained by tea-runner"),
        ("refs/tags/v1", "not a branch"),
        ("refs/pull/1/head", "not a branch"),
        ("refs/notes/commits", "not a branch"),
        ("refs/tea/jobs/x", "not a branch"),
        ("refs/heads/-x", "unsupported characters in the branch name"),
        ("refs/heads/HEAD", "unsupported characters in the branch name"),
        ("refs/heads/übung", "unsupported characters in the branch name"),
    ],
)
def test_refs_that_start_nothing_are_ignored_with_a_reason(ref: str, reason: str) -> None:
    """They are fine for the forge, so it is told that all is well."""
    assert reason == reason_to_ignore(ref)
    if ref == "refs/heads/git-annex":
        # Content may have come: branches that wait for it are planned.
        assert isinstance(parse_gitea_delivery("push", push(ref)), PushEvent)
        return
    assert parse_gitea_delivery("push", push(ref)) == Ignored(
        reason=reason, repository="lab/edges", repository_id=1
    )


@pytest.mark.parametrize(
    "ref",
    [
        "main",
        "refs/heads/a..b",
        "refs/heads/a.lock",
        "refs/heads/../../x",
        "refs/heads/a b",
        "refs/heads/a\nb",
        "refs/heads/",
        "refs/heads//a",
        "refs/heads/a~1",
        "refs/heads/.a",
        "refs/heads/a.lock/b",
        "refs/heads/a@{1}",
        "refs/heads/a\\b",
        "refs/heads/a.",
    ],
)
def test_names_that_git_forbids_are_refused(ref: str) -> None:
    """No forge can send them in earnest."""
    with pytest.raises(DeliveryError) as refused:
        parse_gitea_delivery("push", push(ref))
    assert (refused.value.http_status, refused.value.message) == (400, "ref: not a full ref name")


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/heads/feature/#12-x", "refs/heads/a@b"])
def test_branches_of_people_are_taken(ref: str) -> None:
    """Slashes, numbers and the like are part of names."""
    event = parse_gitea_delivery("push", push(ref))
    assert isinstance(event, PushEvent)
    assert ref == event.ref


def test_patterns_name_repositories() -> None:
    """A star stands for one part and never for the slash."""
    assert matches_repository("lab/*", "lab/edges")
    assert matches_repository("*/*", "lab/edges")
    assert matches_repository("lab/edges", "lab/edges")
    assert not matches_repository("lab/*", "lab2/edges")
    assert not matches_repository("*", "lab/edges")
    assert not matches_repository("lab/edges", "lab/edges2")


@pytest.mark.parametrize(
    "name",
    [
        *("../../etc", "a", "a/b/c", "a/..", "a/.", "a/b\n", "a /b", "", "/", "a/" + "b" * 200),
        *("~/b", "~../b", "~-a/b", "~~a/b", "a~/b", "a/~b"),
    ],
)
def test_what_is_no_repository_is_known(name: str) -> None:
    """Names are one owner and one name, of letters, digits, dot, dash and underscore."""
    assert not is_repository_name(name)


def test_a_long_list_of_files_is_read_in_time() -> None:
    """Thirty megabytes of file names, as pushes of large datasets make, take less than a second
    or two: the forge waits for five."""
    said = json.loads(push("refs/heads/main"))
    said["commits"] = [
        {"id": AFTER, "added": [f"raw/t1/scan-{i:06d}.nii" for i in range(1000)]}
        for _ in range(500)
    ]
    body = json.dumps(said).encode()
    assert len(body) > 12_000_000
    assert isinstance(parse_gitea_delivery("push", body), PushEvent)
