"""Client of registries of container images: which content a tag has.

Protocol: OCI Distribution Specification 1.1 (``/v2/NAME/manifests/TAG``) and Docker's token
authentication.  Redirects are not followed, and connections are encrypted, except to registries that
the operator lists with ``http://``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from tea_runner.core.errors import OutsideError
from tea_runner.core.spec.image_reference import DEFAULT_HOST, ImageReference
from tea_runner.sandbox.image_policy import ImageNotFound
from tea_runner.sandbox.registry_logins import Login, find_login

#: Docker Hub's API has another host than its images' names.
_API_HOSTS = {DEFAULT_HOST: "registry-1.docker.io"}
#: An image for several architectures is identified by its index, as in ``docker pull``.
_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"')
_CONNECT = 5.0
#: Bytes of an answer that are read.
_MOST = 8 << 20


class ImageRegistries:
    """Asks registries for digests.

    :param variables: the process's own variables, which tell where its logins are.
    :param plain: registries that are asked without encryption.
    :param timeout: seconds to wait for an answer.
    :param ca_file: certificates to trust instead of the system's.
    """

    def __init__(
        self,
        variables: Mapping[str, str],
        *,
        plain: frozenset[str] = frozenset(),
        timeout: float = 15.0,
        ca_file: str = "",
    ) -> None:
        self._variables = variables
        self._plain = plain
        self._timeout = (_CONNECT, timeout)
        self._ca_file = ca_file

    def digest(self, image: ImageReference) -> str:
        """The digest (``sha256:…``) that an image's tag has now.

        :raises ImageNotFound: when the registry has no such image.
        :raises OutsideError: when the registry does not answer as it should.
        """
        scheme = "http" if image.host in self._plain else "https"
        api = _API_HOSTS.get(image.host, image.host)
        url = f"{scheme}://{api}/v2/{image.path}/manifests/{image.tag}"
        with requests.Session() as session:
            # Proxies and certificates of the environment count; .netrc does not.
            session.auth = _no_auth
            if self._ca_file:
                session.verify = self._ca_file
            answer = self._ask(session, "HEAD", url, {}, image.host)
            headers: dict[str, str] = {}
            if answer.status_code == 401:
                headers = self._authorization(session, answer, image, scheme)
                answer = self._ask(session, "HEAD", url, headers, image.host)
            found = answer.headers.get("Docker-Content-Digest", "")
            if answer.status_code == 200 and not _DIGEST.fullmatch(found):
                answer = self._ask(session, "GET", url, headers, image.host)
                found = f"sha256:{hashlib.sha256(_body(answer)).hexdigest()}"
        if answer.status_code in (401, 403, 404):
            raise ImageNotFound(
                f"registry {image.host} has no image {image.path}:{image.tag}"
                + (
                    ""
                    if answer.status_code == 404
                    else f", or does not show it ({answer.status_code})"
                ),
                hint="see the name and the tag; for an image that is not public, log in with docker "
                "login or podman login",
            )
        if answer.status_code != 200:
            raise OutsideError(f"registry {image.host} answered {answer.status_code}")
        return found

    def _ask(
        self,
        session: requests.Session,
        method: str,
        url: str,
        headers: Mapping[str, str],
        host: str,
    ) -> requests.Response:
        try:
            return session.request(
                method,
                url,
                headers={"Accept": _ACCEPT, "User-Agent": "tea-runner", **headers},
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, HTTPError, UnicodeError, ValueError) as error:
            # Not the cause in full: it would tell those who push what listens in this network.
            raise OutsideError(f"registry {host} does not answer") from error

    def _authorization(
        self,
        session: requests.Session,
        refused: requests.Response,
        image: ImageReference,
        scheme: str,
    ) -> dict[str, str]:
        """Headers that the registry asks for; empty if there is no login and no token."""
        asked = refused.headers.get("WWW-Authenticate", "")
        login = find_login(self._variables, image.host, image.path)
        kind = asked.partition(" ")[0].lower()
        if kind == "basic":
            return _basic(login) if login is not None else {}
        parameters = dict(_PARAMETER.findall(asked))
        realm = urlsplit(parameters.get("realm", ""))
        if kind != "bearer" or realm.scheme not in ("https", scheme) or not realm.hostname:
            return {}
        query = {"service": parameters["service"]} if "service" in parameters else {}
        query["scope"] = f"repository:{image.path}:pull"
        url = requests.Request("GET", parameters["realm"], params=query).prepare().url or ""
        answer = self._ask(session, "GET", url, _basic(login) if login else {}, image.host)
        if answer.status_code != 200:
            return {}
        try:
            document: Any = json.loads(_body(answer))
            token = document.get("token") or document.get("access_token")
        except (ValueError, AttributeError, RecursionError) as error:
            raise OutsideError(f"registry {image.host} gave no token") from error
        return {"Authorization": f"Bearer {token}"} if isinstance(token, str) else {}


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _basic(login: Login) -> dict[str, str]:
    prepared = requests.Request("GET", "https://localhost", auth=tuple(login)).prepare()
    return {"Authorization": prepared.headers["Authorization"]}


def _body(answer: requests.Response) -> bytes:
    """The body of an answer.

    :raises OutsideError: when it is too large, or breaks off.
    """
    data = b""
    try:
        for chunk in answer.iter_content(1 << 16):
            data += chunk
            if len(data) > _MOST:
                raise OutsideError("the answer of a registry is too large")
    except (requests.RequestException, HTTPError) as error:
        raise OutsideError("the answer of a registry broke off") from error
    return data
