"""Deliveries of forges that cannot run here, written after their documentation; the secret is ``s``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tea_runner.core.deliveries.delivery_events import (
    TEST_DELIVERY,
    DeliveryError,
    DeliveryEvent,
    Ignored,
    PullRequestEvent,
    PushEvent,
)
from tea_runner.core.deliveries.delivery_signature import dialect, is_signed
from tea_runner.core.deliveries.read_delivery import read_delivery

DOCUMENTED = Path(__file__).parent / "deliveries"
AFTER = "4bb71d674bc20617b13042dfcd1f64d75949cb69"


def documented(name: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of a delivery."""
    said = json.loads((DOCUMENTED / f"{name}.json").read_text(encoding="utf-8"))
    return dict(said["headers"]), said["body"].encode()


def _push(number: int, ref: str, after: str = AFTER, name: str = "lab/edges") -> PushEvent:
    return PushEvent(
        repository=name,
        repository_id=number,
        ref=f"refs/heads/{ref}",
        after=after,
        deleted=set(after) == {"0"},
    )


def _pull(number: int, pull: int, name: str = "lab/edges") -> PullRequestEvent:
    return PullRequestEvent(repository=name, repository_id=number, number=pull)


def _test(number: int, name: str = "lab/edges") -> Ignored:
    return Ignored(reason=TEST_DELIVERY, repository=name, repository_id=number, is_test=True)


EXPECTED: dict[str, list[DeliveryEvent]] = {
    "github-push": [_push(186853002, "main")],
    "github-deleted": [_push(186853002, "old", "0" * 40)],
    "github-pull-request": [_pull(186853002, 2)],
    "github-ping": [_test(186853002)],
    "gitlab-push": [_push(15, "main")],
    "gitlab-deleted": [_push(15, "old", "0" * 40)],
    "gitlab-tag-push": [_test(15)],
    "gitlab-merge-request": [_pull(15, 2)],
    "bitbucket-push": [
        _push(84, "main", name="LAB/edges"),
        Ignored(reason="not a branch", repository="LAB/edges", repository_id=84),
        _push(84, "git-annex", name="LAB/edges"),
    ],
    "bitbucket-deleted": [_push(84, "old", "0" * 40, name="LAB/edges")],
    "bitbucket-pull-request": [_pull(84, 2, name="LAB/edges")],
    "bitbucket-ping": [Ignored(reason=TEST_DELIVERY, is_test=True)],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_delivery_is_what_it_announces(name: str) -> None:
    """Repository, ref and new tip are kept, whatever else it says."""
    forge = name.partition("-")[0]
    headers, body = documented(name)
    assert read_delivery(forge, headers[dialect(forge, headers).event], body) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_only_the_secret_proves_a_delivery(name: str) -> None:
    """In each forge's own way; one of several secrets is enough, and no secret is none."""
    forge = name.partition("-")[0]
    headers, body = documented(name)
    names = dialect(forge, headers)
    signature = headers[names.signature]
    assert is_signed(body, signature, ["t", "s"], names.proof)
    assert not is_signed(body, signature, ["t"], names.proof)
    assert not is_signed(body, signature, [""], names.proof)
    assert not is_signed(body, "", ["s", ""], names.proof)
    assert not is_signed(body, f"{signature}é", ["s"], names.proof)
    if names.proof != "token":
        assert not is_signed(body + b" ", signature, ["s"], names.proof)
        assert not is_signed(body, signature.removeprefix("sha256="), ["s"], names.proof)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"repository": {"slug": "a", "project": {"key": "B"}}}',
        b'{"repository": {"slug": "a", "project": {"key": "~../ada"}}, "changes": []}',
        b'{"repository": {"slug": "a", "project": {"key": "B"}}, "changes": [1]}',
        b'{"repository": {"slug": "a", "project": {"key": "B"}}, "changes": [{"ref": {"id": "x"}}]}',
    ],
)
def test_a_malformed_push_of_bitbucket_is_refused(body: bytes) -> None:
    """In a sentence."""
    with pytest.raises(DeliveryError):
        read_delivery("bitbucket", "repo:refs_changed", body)


def test_a_push_to_a_repository_of_a_person_is_read() -> None:
    """Bitbucket calls the project ``~NAME``."""
    _, body = documented("bitbucket-deleted")
    found = read_delivery("bitbucket", "repo:refs_changed", body.replace(b'"LAB"', b'"~ADA"'))
    assert [_push(84, "old", "0" * 40, name="~ADA/edges")] == found


def test_a_deleted_branch_of_github_is_announced_once() -> None:
    """By the push of zeros; the event "delete" is not needed."""
    assert read_delivery("github", "delete", b"[") == [Ignored(reason="event 'delete'")]


def test_the_ping_of_an_organizations_hook_is_no_test_of_a_repository() -> None:
    """It names none."""
    (found,) = read_delivery("github", "ping", b'{"zen": "x"}')
    assert isinstance(found, Ignored)
    assert not found.is_test
