"""Who makes the present request, and what this person may see and do.

Views that list things of several repositories ask here which of them to show.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from flask import g, request, session

from tea_runner.core.access import MADE_HERE, STRANGER, AccessLevel, Viewer, level_in
from tea_runner.core.deliveries.registered_webhook import matches_repository
from tea_runner.ports import Grant
from tea_runner.settings import Settings
from tea_runner.web.access_dependencies import AccessDependencies, KeptGrants

#: Schemes of ``Authorization`` that carry a token; a proxy before us may have a login of its own (Basic).
_SCHEMES = ("bearer", "token")
#: Seconds before its end at which a credential is renewed.
_EARLY = 60.0


class Visitor:
    """One request's viewer.

    :param credential: with which the forge is asked; empty for strangers and tokens of this server.
    :param token: one that was made on a page.
    :param only_reads: whether that token lets nothing but read.
    :param by_header: whether the request itself carries the credential, so that no other site can have
        made a browser send it.
    """

    def __init__(
        self,
        viewer: Viewer,
        parts: AccessDependencies | None,
        settings: Settings,
        *,
        credential: str = "",
        by_header: bool = False,
        session_id: str = "",
        token: str = "",
        only_reads: bool = False,
    ) -> None:
        self._session_id = session_id
        self._token = token
        self.only_reads = only_reads
        self.viewer = viewer
        self.by_header = by_header
        self._parts = parts
        self._public = settings.pages.public
        self._credential = credential

    @property
    def shows_strangers(self) -> bool:
        """Whether there are repositories that everybody may see."""
        return bool(self._public)

    def is_current(self) -> bool:
        """Whether the session of the request has not ended since.

        :raises QueueError: when Redis does not answer.
        """
        if self._parts is None:
            return True
        if self._token:
            return self._parts.tokens.get(self._token) is not None
        return not self._session_id or self.session_fields() is not None

    def session_fields(self) -> Mapping[str, Any] | None:
        """The fields of the session; None for requests without one."""
        if not self._session_id or self._parts is None:
            return None
        return self._parts.sessions.get(self._session_id)

    def levels(self, repositories: Iterable[str]) -> Mapping[str, AccessLevel]:
        """What the viewer may do in each of these repositories.

        :raises ForgeError: when the forge does not answer.
        """
        names = list(dict.fromkeys(repositories))
        said: Mapping[str, AccessLevel] = {}
        if self._credential and self._parts is not None and not self.viewer.is_operator:
            said = self._parts.accounts.levels(self._credential, names)
        most = AccessLevel.READ if self.only_reads else AccessLevel.WRITE
        return {
            name: min(
                most,
                level_in(
                    self.viewer, said.get(name, AccessLevel.NONE), is_public=self._is_public(name)
                ),
            )
            for name in names
        }

    def readable(self, repositories: Iterable[str]) -> set[str]:
        """Those of these repositories that the viewer may read.

        :raises ForgeError: when the forge does not answer.
        """
        return {
            name for name, level in self.levels(repositories).items() if level >= AccessLevel.READ
        }

    def reads(self, repository: str) -> bool:
        """Whether the viewer may read a repository.

        :raises ForgeError: when the forge does not answer.
        """
        return self.levels([repository])[repository] >= AccessLevel.READ

    def writes(self, repository: str) -> bool:
        """Whether the viewer may write to a repository, and so act on its runs.

        :raises ForgeError: when the forge does not answer.
        """
        return self.viewer.is_known and self.levels([repository])[repository] >= AccessLevel.WRITE

    def _is_public(self, repository: str) -> bool:
        return any(matches_repository(pattern, repository) for pattern in self._public)


def visitor() -> Visitor:
    """The visitor of this request, found at the first call.

    :raises ForgeError: when the forge does not answer.
    :raises QueueError: when Redis does not answer.
    """
    if "visitor" not in g:
        find: Callable[[], Visitor] = g.find_visitor
        g.visitor = find()
    found: Visitor = g.visitor
    return found


def find_visitor(parts: AccessDependencies | None, settings: Settings) -> Visitor:
    """The visitor by the header ``Authorization``, else by the session.

    :raises ForgeError: when the forge does not answer.
    :raises QueueError: when Redis does not answer.
    """
    if parts is None:
        return Visitor(STRANGER, None, settings)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() in _SCHEMES:
        return _by_token(token.strip(), parts, settings)
    name = str(session.get("id", ""))
    fields = parts.sessions.get(name) if name else None
    if fields is None:
        return Visitor(STRANGER, parts, settings)
    if fields.get("operator") is True:
        return Visitor(Viewer(is_operator=True), parts, settings, session_id=name)
    fields = _renewed(parts.sessions, name, fields, parts)
    if fields is None:
        return Visitor(STRANGER, parts, settings)
    return _of_account(fields, parts, settings, session_id=name)


def session_of(name: str, grant: Grant) -> dict[str, Any]:
    """The fields of the session of an account."""
    return {"name": name, **asdict(grant)}


def _renewed(
    kept: KeptGrants, name: str, fields: Mapping[str, Any], parts: AccessDependencies
) -> Mapping[str, Any] | None:
    """The fields with a credential that has not expired; None, and their end, when the forge declines one.

    :param kept: where they are under this name.
    """
    expires, refresh = float(fields.get("expires") or 0), str(fields.get("refresh") or "")
    if not expires or time.time() < expires - _EARLY or parts.sign_in is None:
        return fields
    grant = parts.sign_in.renew(refresh) if refresh else None
    if grant is None:
        # Another request may have renewed it at the same time.
        now = kept.get(name)
        if now is not None and now.get("credential") != fields.get("credential"):
            return now
        kept.end(name)
        return None
    renewed = {**fields, **session_of(str(fields.get("name", "")), grant)}
    kept.change(name, renewed)
    return renewed


def _by_token(token: str, parts: AccessDependencies, settings: Settings) -> Visitor:
    viewer = STRANGER
    if token.startswith(MADE_HERE):
        return _by_made_token(token, parts, settings)
    if same(token, parts.token):
        viewer = Viewer(is_operator=True)
    elif same(token, parts.metrics_token):
        viewer = Viewer(is_monitor=True)
    else:
        credential = f"token {token}"
        account = {"name": parts.accounts.name(credential), "credential": credential}
        return _of_account(account, parts, settings)
    return Visitor(viewer, parts, settings, by_header=True)


def _by_made_token(token: str, parts: AccessDependencies, settings: Settings) -> Visitor:
    """The visitor with a token that was made on a page."""
    fields = parts.tokens.get(token)
    if fields is not None and fields.get("operator") is not True:
        fields = _renewed(parts.tokens, token, fields, parts)
    if fields is None:
        return Visitor(STRANGER, parts, settings, by_header=True)
    only_reads = fields.get("scope") != "write"
    if fields.get("operator") is True:
        viewer = Viewer(is_operator=True)
        return Visitor(viewer, parts, settings, by_header=True, token=token, only_reads=only_reads)
    return _of_account(fields, parts, settings, token=token, only_reads=only_reads)


def _of_account(
    fields: Mapping[str, Any],
    parts: AccessDependencies,
    settings: Settings,
    *,
    session_id: str = "",
    token: str = "",
    only_reads: bool = False,
) -> Visitor:
    """The visitor with an account of the forge; without a session, by the request's header."""
    name = str(fields.get("name", ""))
    operators = {each.casefold() for each in settings.pages.operators}
    return Visitor(
        Viewer(name=name, is_operator=bool(name) and name.casefold() in operators),
        parts,
        settings,
        credential=str(fields.get("credential", "")) if name else "",
        by_header=not session_id,
        session_id=session_id,
        token=token,
        only_reads=only_reads,
    )


def same(given: str, secret: str) -> bool:
    """Whether a text is the secret, compared in constant time; an empty secret is nobody's."""
    if not secret:
        return False
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def begin_session(parts: AccessDependencies, fields: Mapping[str, Any]) -> None:
    """Sign the person of this request in; an id from before is not used again."""
    end_session(parts)
    session.permanent = True
    session["id"] = parts.sessions.begin(fields)


def end_session(parts: AccessDependencies) -> None:
    """Sign the person of this request out."""
    if "id" in session:
        parts.sessions.end(str(session["id"]))
    session.clear()


def csrf_token() -> str:
    """The token that forms of this browser send along, which other sites cannot read."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(24)
    return str(session["csrf"])
