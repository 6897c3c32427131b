"""Refs that name one commit, sealed with the key of planners and workers.

Whoever may push can move any ref of the forge.  A seal says that a planner or an operator has named exactly
this commit under exactly this ref.
"""

from __future__ import annotations

from tea_runner.core.errors import OutsideError, Refused
from tea_runner.core.git.result_hmac import seal_result, verify_result_seal
from tea_runner.core.results.run_record import parse_trailers
from tea_runner.dataset.mirror import Mirror

_SEAL = "Tea-Seal"
_WHO = "tea-runner <tea-runner@localhost>"


class SealedRefs:
    """Sealed refs of one repository.

    :param name: ``owner/name`` of the repository; a seal is for it alone.
    :param secret: key of the seal.
    :param trailer: name of the trailer that names the commit.
    :param title: of the sealing commit.
    """

    def __init__(self, name: str, mirror: Mirror, secret: bytes, trailer: str, title: str) -> None:
        self._name = name
        self._mirror = mirror
        self._secret = secret
        self._trailer = trailer
        self._title = title

    def seal(self, ref: str, commit: str) -> str:
        """A new object that names a commit under a ref; always the same for the same ones."""
        self._mirror.ensure()
        writer = self._mirror.writer()
        seal = seal_result(self._secret, self._name, ref, commit.encode())
        message = f"tea-runner: {self._title}\n\n{self._trailer}: {commit}\n{_SEAL}: {seal}\n"
        made = writer.commit(writer.tree({}), [], message, who=_WHO, seconds=0)
        writer.flush()
        return made

    def named(self, ref: str) -> str:
        """The commit that a ref names, as of the last fetch; empty without a valid seal."""
        oid = self._mirror.refs(ref).get(ref)
        if oid is None:
            return ""
        try:
            trailers = parse_trailers(self._mirror.objects.commit(oid).message)
        except (OutsideError, Refused):
            return ""
        commit, seal = trailers.get(self._trailer, ""), trailers.get(_SEAL, "")
        sealed = verify_result_seal(self._secret, self._name, ref, commit.encode(), seal)
        return commit if sealed else ""
