"""An administrator of Gitea or Forgejo who sets up an account for tea-runner; each step may be repeated."""

from __future__ import annotations

import secrets
from urllib.parse import quote, urlsplit

from tea_runner.core.errors import ForgeError, Refused
from tea_runner.forge.gitea import GiteaForge
from tea_runner.forge.rest_api import RestApi, repository_path

#: Scopes of the bot's token.
SCOPES = ("write:repository", "write:issue", "read:user", "read:organization")


class GiteaAdministrator:
    """One administrator; every method raises ForgeError when a call fails.

    :param otp: the six digits of an authenticator; empty for an account without one.
    """

    def __init__(
        self,
        url: str,
        name: str,
        password: str,
        *,
        otp: str = "",
        ca_file: str = "",
        proxy: str = "",
    ) -> None:
        self._api = RestApi(url, "", ca_file=ca_file, proxy=proxy)
        self._api.session.auth = (name, password)
        if otp:
            self._api.session.headers["X-Gitea-OTP"] = otp

    def check(self) -> None:
        """Check that the login is accepted.

        :raises Refused: when the account is no administrator's, or the login is wrong.
        """
        try:
            facts = self._api.fields(self._api.ask("GET", "/user"))
        except ForgeError as error:
            if error.response_status != 401:
                raise
            raise Refused(
                f"{self._api.url} does not accept this name and password",
                hint="an account with two factors needs --otp DIGITS",
            ) from error
        if not facts.get("is_admin"):
            raise Refused(
                f"{facts.get('login')} is no administrator of {self._api.url}",
                hint="name one with --admin, or follow docs/how-to/connect-gitea.md by hand",
            )

    def ensure_user(self, name: str, email: str) -> bool:
        """Create an account that nobody signs in to; returns False when it is there already."""
        found = self._api.ask("GET", f"/users/{quote(name, safe='')}", allowed=(404,))
        if found.status_code != 404:
            return False
        body = {
            "username": name,
            "email": email,
            "password": secrets.token_urlsafe(32),
            "must_change_password": False,
        }
        self._api.ask("POST", "/admin/users", body)
        return True

    def new_token(self, user: str, name: str) -> str:
        """A token of an account, in place of the one of that name."""
        path = f"/users/{quote(user, safe='')}/tokens"
        self._api.ask("DELETE", f"{path}/{quote(name, safe='')}", allowed=(404,))
        made = self._api.fields(self._api.ask("POST", path, {"name": name, "scopes": list(SCOPES)}))
        token = str(made.get("sha1", ""))
        if not token:
            raise ForgeError(f"{self._api.url} made no token for {user}")
        return token

    def permission(self, repository: str, user: str) -> str:
        """What an account may do in a repository: ``none``, ``read``, ``write``, ``admin`` or ``owner``."""
        path = f"/repos/{repository_path(repository)}/collaborators/{quote(user, safe='')}"
        found = self._api.ask("GET", f"{path}/permission", allowed=(404,))
        if found.status_code == 404:
            return "none"
        return str(self._api.fields(found).get("permission", "none"))

    def grant(self, repository: str, user: str, permission: str) -> None:
        """Make an account a collaborator of a repository.

        :param permission: ``read``, ``write`` or ``admin``.
        """
        path = f"/repos/{repository_path(repository)}/collaborators/{quote(user, safe='')}"
        self._api.ask("PUT", path, {"permission": permission})

    def ensure_organisation(self, name: str) -> bool:
        """Create an organisation that this administrator owns; returns False when it is there already."""
        found = self._api.ask("GET", f"/orgs/{quote(name, safe='')}", allowed=(404,))
        if found.status_code != 404:
            return False
        self._api.ask("POST", "/orgs", {"username": name, "visibility": "public"})
        return True

    def ensure_writer(self, organisation: str, user: str, team: str) -> None:
        """Let an account write in all repositories of an organisation, as the only member of a team."""
        teams = f"/orgs/{quote(organisation, safe='')}/teams"
        found = next((row for row in self._api.pages(teams) if row.get("name") == team), None)
        if found is None:
            body = {
                "name": team,
                "permission": "write",
                "includes_all_repositories": True,
                "units": ["repo.code", "repo.issues", "repo.pulls"],
            }
            found = self._api.fields(self._api.ask("POST", teams, body))
        self._api.ask("PUT", f"/teams/{int(found['id'])}/members/{quote(user, safe='')}")

    def ensure_webhook(self, organisation: str, address: str, secret: str) -> None:
        """Deliver the events of all repositories of an organisation to an address, with this secret.

        A webhook to the same path of another address, such as that of an earlier port, is replaced.
        """
        hooks = f"/orgs/{quote(organisation, safe='')}/hooks"
        path = urlsplit(address).path
        body = {
            "type": "gitea",
            "active": True,
            "events": list(GiteaForge.webhook_events),
            "config": {"url": address, "content_type": "json", "secret": secret},
        }
        for row in list(self._api.pages(hooks)):
            if urlsplit(str(row.get("config", {}).get("url", ""))).path == path:
                changed = {name: body[name] for name in ("active", "events", "config")}
                self._api.ask("PATCH", f"{hooks}/{int(row['id'])}", changed)
                return
        self._api.ask("POST", hooks, body)

    def has_repository(self, name: str) -> bool:
        """Whether there is a repository of this full name."""
        path = f"/repos/{repository_path(name)}"
        return self._api.ask("GET", path, allowed=(404,)).status_code != 404


def is_token_of(url: str, token: str, user: str, *, ca_file: str = "", proxy: str = "") -> bool:
    """Whether a forge accepts a token as that of this account.

    :raises ForgeError: when the forge does not answer.
    """
    try:
        return RestApi(url, token, ca_file=ca_file, proxy=proxy).whoami() == user
    except ForgeError as error:
        if error.response_status in (401, 403):
            return False
        raise
