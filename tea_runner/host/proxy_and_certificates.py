"""How programs of this process reach other hosts: proxies and certificate authorities of the environment.

The names are those of curl(1), which git uses; git-annex and requests read the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

#: ``HTTP_PROXY`` is left out, as curl does: a CGI program gets it from whoever sends a header ``Proxy``.
_PROXIES = (
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
)
_CERTIFICATES = ("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
#: Without a list, requests would look into the environment itself.
_NOWHERE = "none.invalid"
#: Certificates of the system, where distributions keep them.
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def proxy_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables with which programs find a proxy."""
    return {name: variables[name] for name in _PROXIES if variables.get(name)}


def certificate_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that name the certificates to trust; git knows its own only."""
    said = {name: variables[name] for name in _CERTIFICATES if variables.get(name)}
    if "SSL_CERT_FILE" in said:
        said.setdefault("GIT_SSL_CAINFO", said["SSL_CERT_FILE"])
    return said


def proxy_for(url: str, variables: Mapping[str, str]) -> str:
    """URL of the proxy for this URL; empty for a direct connection."""
    from requests.utils import select_proxy, should_bypass_proxies

    said = proxy_variables(variables)
    if should_bypass_proxies(url, said.get("no_proxy") or said.get("NO_PROXY") or _NOWHERE):
        return ""
    proxies = {
        scheme: said.get(f"{scheme}_proxy") or said.get(f"{scheme.upper()}_PROXY", "")
        for scheme in ("http", "https", "all")
    }
    return str(select_proxy(url, {name: each for name, each in proxies.items() if each}) or "")


def proxy_passwords(variables: Mapping[str, str]) -> list[str]:
    """Passwords in URLs of proxies, which no text may show."""
    return [urlsplit(url).password or "" for url in proxy_variables(variables).values()]


def system_certificates(variables: Mapping[str, str]) -> Path:
    """File of the certificates that this host trusts."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    named = variables.get("SSL_CERT_FILE") or variables.get("GIT_SSL_CAINFO")
    found = [Path(path) for path in (*([named] if named else []), *_BUNDLES)]
    return next((path for path in found if path.is_file()), Path(DEFAULT_CA_BUNDLE_PATH))
