"""Where the forge is, its accounts, and the sign-in with them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tea_runner.settings import read_secret
from tea_runner.wiring.process_settings import ProcessSettings

if TYPE_CHECKING:
    from tea_runner.forge.forge_kinds import ForgeConnection
    from tea_runner.ports import ForgeAccounts, ForgeSignIn


class AccountsSite(ProcessSettings):
    """Accounts of the forge, for one process."""

    @cached_property
    def accounts(self) -> ForgeAccounts:
        """The forge's accounts, each asked for at most once a minute."""
        from tea_runner.forge.cached_accounts import CachedAccounts
        from tea_runner.forge.forge_kinds import make_accounts

        return CachedAccounts(make_accounts(self.settings.forge.kind, self._forge_connection()))

    @cached_property
    def sign_in(self) -> ForgeSignIn | None:
        """Sign-in with the forge's accounts; None where no OAuth2 application is set.

        :raises SettingsError: when the file of its secret cannot be read.
        """
        pages, name = self.settings.pages, "pages.oauth_secret_file"
        if pages.oauth_secret_file is None or self.settings.forge.kind == "folder":
            return None
        from tea_runner.forge.gitea_sign_in import GiteaSignIn

        connection = self._forge_connection()
        secret = read_secret(pages.oauth_secret_file, name, self.settings.source(name))
        return GiteaSignIn(
            connection.url,
            pages.oauth_client_id,
            secret.reveal(),
            f"{self.settings.web_url}/sign-in/callback",
            authorize_url=pages.oauth_authorize_url,
            timeout=connection.timeout,
            ca_file=connection.ca_file,
            proxy=connection.proxy,
        )

    def _forge_connection(self) -> ForgeConnection:
        from tea_runner.forge.forge_kinds import ForgeConnection
        from tea_runner.host.proxy_and_certificates import certificate_variables, proxy_for

        said = certificate_variables(self.variables)
        forge = self.settings.forge
        return ForgeConnection(
            url=forge.url,
            token=forge.token.reveal(),
            timeout=forge.timeout,
            ca_file=str(
                forge.ca_file or said.get("SSL_CERT_FILE") or said.get("GIT_SSL_CAINFO") or ""
            ),
            proxy="" if forge.kind == "folder" else proxy_for(forge.url, self.variables),
        )
