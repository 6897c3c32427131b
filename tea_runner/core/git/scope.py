"""A branch and the operator's trusted branches in, the scope out whose results it may read and write.

The trusted scope is the empty text: its results may be used by every branch.  A branch that is not
trusted has a scope of its own: it reads the trusted results too, and writes only there.  So nobody
who may push to *some* branch decides what another one's results are.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from tea_runner.core.git.branch import is_named, is_pull

#: Where results of trusted branches stand until they are settled, and those of all others.
TRUSTED_REFS = "refs/tea/jobs/"
OTHER_REFS = "refs/tea/scopes/"


def scope_of(branch: str, trusted: Sequence[str]) -> str:
    """The empty text for a branch that a pattern of *trusted* names, else 16 hex digits of its name.

    The branch of a pull request is never trusted, whatever the patterns say.
    """
    if is_named(branch, trusted) and not is_pull(branch):
        return ""
    return hashlib.sha256(branch.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def refs_of(scope: str) -> str:
    """Where a scope's unsettled results stand."""
    return f"{OTHER_REFS}{scope}/" if scope else TRUSTED_REFS


def queue_namespace(repository: str, scope: str) -> str:
    """Under which name keys of a repository are kept in the queue: a scope sees its own only."""
    return f"{repository}@{scope}" if scope else repository


def seal_result(secret: bytes, repository: str, ref: str, data: bytes) -> str:
    """Proof that one of our workers left this result at this place: who can push cannot make it."""
    parts = (repository.encode("utf-8", "surrogateescape"), ref.encode(), data)
    text = b"".join(b"%d:%s" % (len(part), part) for part in parts)
    return hmac.new(secret, b"tea-result\0" + text, "sha256").hexdigest()


def is_sealed_result(secret: bytes, repository: str, ref: str, data: bytes, proof: str) -> bool:
    """Whether the proof is for exactly this."""
    expected = seal_result(secret, repository, ref, data)
    return hmac.compare_digest(expected.encode(), proof.encode("utf-8", "replace"))
