"""All refs of a repository by git's own protocol, in one request."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote

import requests
from urllib3.exceptions import HTTPError

from tea_runner.core.errors import ForgeError
from tea_runner.core.git import ls_refs
from tea_runner.forge.rest_api import BUSY, RestApi, network_error

#: Limits of the list of one repository's refs, in bytes and seconds.
_MOST_REFS, _LONGEST_REFS = 64 << 20, 60.0


class RefListing(RestApi):
    """See :class:`tea_runner.ports.Forge`."""

    def remote_url(self, repository: str) -> str:
        """The URL from which git clones, below the configured URL; those of payloads are not used."""
        return f"{self.url}/{quote(repository)}.git"

    @property
    def git_account(self) -> tuple[str, str] | None:
        """Name and password for git: with a token the forge ignores the name."""
        return ("tea-runner", self.token) if self.token else None

    def refs(self, repository: str, *prefixes: str) -> Mapping[str, str] | None:
        """Refs below the prefixes, by git's protocol v2 (``ls-refs``) in one request.

        None when the response is not that of git's protocol: the caller then runs git, whose error
        message names the problem.
        """
        try:
            with self.session.post(
                f"{self.remote_url(repository)}/git-upload-pack",
                data=ls_refs.ls_refs_request(*prefixes),
                headers=ls_refs.HEADERS,
                auth=self.git_account,
                timeout=self.timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                if answer.status_code >= 500 or answer.status_code in BUSY:
                    raise ForgeError(
                        f"{self.url}: listing refs of {repository}: {answer.status_code}",
                        answer.status_code,
                    )
                kind = answer.headers.get("Content-Type", "")
                if answer.status_code != 200 or kind != ls_refs.HEADERS["Accept"]:
                    return None
                return ls_refs.parse_ls_refs(self._whole(answer, repository), *prefixes)
        except (requests.RequestException, HTTPError, OSError) as error:
            why = (
                network_error(error)
                if isinstance(error, requests.RequestException)
                else "connection lost"
            )
            raise ForgeError(f"{self.url}: listing refs of {repository}: {why}") from error

    def _whole(self, answer: requests.Response, repository: str) -> bytes:
        """Read a whole response, within limits of size and time."""
        end = time.monotonic() + _LONGEST_REFS
        data = bytearray()
        while piece := answer.raw.read1(1 << 16, decode_content=True):
            data += piece
            if len(data) > _MOST_REFS or time.monotonic() > end:
                raise ForgeError(
                    f"{self.url}: listing refs of {repository}: the list does not end after {len(data)} bytes"
                )
        return bytes(data)
