"""Subdatasets of a dataset: its ``.gitmodules`` and the forge repositories that the URLs name."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from tea_runner.core.git.config_text import parse_config

#: An address as scp has it, ``user@host:path`` (git-clone(1), "GIT URLS").
_SCP = re.compile(r"(?:[^/:@]+@)?(?P<host>\[[^\]]+\]|[^/:@]+):(?!//)(?P<path>.*)")
_PORTS = {"https": 443, "http": 80, "ssh": 22, "git+ssh": 22, "ssh+git": 22, "git": 9418}
#: Schemes of addresses whose paths have no folder before the owner, and whose port is the forge's choice.
_SHELL = frozenset({"ssh", "git+ssh", "ssh+git", "git"})

_CANDIDATE = re.compile(r"subdataset-source-candidate-(?P<cost>[0-9]{3})?.*")
_FIELD = re.compile(r"\{([\w-]+)\}")
#: Cost of an address whose template states none.
_OWN_COST = 700
_PREFIX_ENDS = ("/", ":", "#")


@dataclass(frozen=True, kw_only=True, slots=True)
class Submodule:
    """One subdataset: its path in the dataset and its URL."""

    path: str
    url: str
    branch: str = ""
    #: All addresses in the order in which DataLad tries them; *url* is among them.
    addresses: tuple[str, ...] = ()

    @property
    def urls(self) -> tuple[str, ...]:
        """All addresses in the order in which DataLad tries them."""
        return self.addresses or (self.url,)

    @property
    def shown_url(self) -> str:
        """The URL without a user or password that may be in it."""
        return re.sub(r"(?<=://)[^/]*@", "", self.url)


def parse_gitmodules(data: bytes, config: bytes = b"") -> dict[str, Submodule]:
    """The subdatasets by path (gitmodules(5)); what else is in the file is ignored.

    :param config: the dataset's ``.datalad/config``, for its ``datalad.get.subdataset-source-candidate-*``.
    """
    templates = _candidate_templates(config)
    found: dict[str, dict[str, str]] = {}
    for section, name, key, value in parse_config(data):
        if section == "submodule" and name:
            found.setdefault(name, {})[key] = value
    rows = ({**row, "path": row.get("path", "").rstrip("/")} for row in found.values())
    return {
        row["path"]: Submodule(
            path=row["path"],
            url=row["url"],
            branch=row.get("branch", ""),
            addresses=_addresses(row, templates),
        )
        for row in rows
        if row["path"] and row.get("url")
    }


def _candidate_templates(config: bytes) -> list[tuple[int, str]]:
    """Costs and templates of addresses of subdatasets."""
    found = []
    for section, subsection, key, value in parse_config(config):
        candidate = _CANDIDATE.fullmatch(key)
        if (section, subsection) == ("datalad", "get") and candidate:
            found.append((int(candidate["cost"] or _OWN_COST), value))
    return found


def _addresses(row: Mapping[str, str], templates: Sequence[tuple[int, str]]) -> tuple[str, ...]:
    """All addresses of a subdataset, those of the least cost first (datalad-get(1)).

    Templates have fields of ``.gitmodules`` only: the syntax of Python's formats also reads attributes, and
    fills any width.
    """
    more = {"id": row.get("datalad-id", ""), "path_basename": posixpath.basename(row["path"])}
    fields = {name: text for name, text in {**row, **more}.items() if text}
    found = [(600, row["url"])]
    if row.get("datalad-url"):
        found.append((590, row["datalad-url"]))
    for cost, template in templates:
        text = _FIELD.sub(lambda match: fields.get(match[1], match[0]), template)
        if "{" not in text:
            found.append((cost, text))
    urls = tuple(dict.fromkeys(url for _, url in sorted(found, key=lambda pair: pair[0])))
    return () if urls == (row["url"],) else urls


def repository_of(url: str, base: str, own: str) -> str | None:
    """The full name (``owner/name``) of the forge's repository that a URL names, or None.

    Every address under which a forge gives its repositories counts: another scheme, the port of that
    scheme, the form of scp.  The forge is reached by its own address only, whatever the URL says.

    :param base: the forge's URL, without a trailing slash.
    :param own: ``owner/name`` of the dataset with the ``.gitmodules``, for relative URLs.
    """
    if url.startswith(("./", "../")):
        return _full_name(posixpath.normpath(posixpath.join(own, url)))
    root = urlsplit(base)
    try:
        scheme, host, port, path = _split(url)
        own_port = root.port
    except ValueError:
        return None
    if scheme == "file" or root.scheme == "file":
        same = scheme == root.scheme
    else:
        same = scheme in _PORTS and host == (root.hostname or "").rstrip(".")
        same = same and (scheme in _SHELL or port in (None, _PORTS[scheme], own_port))
    if not same:
        return None
    folder = unquote(root.path).rstrip("/") + "/"
    if path.startswith(folder):
        return _full_name(path[len(folder) :])
    return _full_name(path) if scheme in _SHELL else None


def mirrored_repository(url: str, addresses: Mapping[str, str]) -> str | None:
    """The full name of the forge's repository that stands for another address, or None.

    :param addresses: by the operator: an address, or a prefix of some that ends in ``/``, ``:`` or ``#``,
        and the repository, or the owner with a slash, or nothing where the rest of the address has both.
    """
    for address, name in addresses.items():
        if url.rstrip("/").removesuffix(".git") == address.rstrip("/").removesuffix(".git"):
            return _full_name(name)
        if address.endswith(_PREFIX_ENDS) and url.startswith(address):
            rest = unquote(url[len(address) :]).lstrip("/")
            # In a RIA store: the id of a dataset or ~ and a name, perhaps with a version.
            rest = rest.lstrip("~").partition("@")[0] if address.endswith("#") else rest
            return _full_name(name + rest)
    return None


def parse_addresses(rows: Sequence[str]) -> dict[str, str]:
    """The rules of ``forge.other_addresses``, each ``ADDRESS=OWNER/NAME``, the longest address first.

    :raises ValueError: with the row that is none.
    """
    found = {}
    for row in rows:
        address, equals, name = row.strip().rpartition("=")
        is_prefix = address.endswith(_PREFIX_ENDS)
        right = _full_name(name) == name or (is_prefix and re.fullmatch(r"(?:[\w.-]+/)?", name))
        if not (equals and address and right):
            raise ValueError(row)
        found[address] = name
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


def _split(url: str) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and path of an address.

    :raises ValueError: when it is malformed.
    """
    if "://" in url:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        return parts.scheme, host, parts.port, unquote(parts.path)
    scp = _SCP.fullmatch(url)
    if scp is None:
        return "file", "", None, url
    return "ssh", scp["host"].strip("[]").lower().rstrip("."), None, "/" + scp["path"].lstrip("/")


def likely_repositories(submodule: Submodule, own: str) -> Sequence[str]:
    """Where a subdataset with a relative URL may be on the forge if not where git would look.

    ``datalad create -d . inputs/raw`` writes ``./inputs/raw``, and ``datalad create-sibling-gitea -r``
    publishes it as ``NAME-inputs-raw``.  ``datalad clone -d . ../raw inputs/raw`` can write a path that is
    right on the disk where it was written.  The pinned commit shows which one it is.

    :param own: ``owner/name`` of the dataset.
    """
    if not submodule.url.startswith(("./", "../")):
        return ()
    owner = own.partition("/")[0]
    flat = [re.sub(r"\s+", "_", submodule.path.replace("/", mark)) for mark in "-_"]
    last = posixpath.basename(posixpath.normpath(submodule.url.rstrip("/").removesuffix("/.git")))
    names = (*(f"{own}-{each}" for each in flat), f"{owner}/{last.removesuffix('.git')}")
    return [name for name in dict.fromkeys(names) if name != own and _full_name(name) == name]


def _full_name(path: str) -> str | None:
    name = posixpath.normpath(path).strip("/") if path else ""
    name = name.removesuffix("/.git").removesuffix(".git")
    parts = name.split("/")
    valid = len(parts) == 2 and all(part not in ("", ".", "..") for part in parts)
    return name if valid else None
