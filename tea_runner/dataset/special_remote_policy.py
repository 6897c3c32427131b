"""Special remotes as a dataset describes them, checked against the operator's settings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tea_runner.core.git.special_remote_fields_shown import SHOWN_FIELDS, without_password
from tea_runner.dataset.described_remotes import DescribedRemote

#: Types of special remotes that the operator may list by name.  All others start programs or use an
#: address that only the dataset states, and must be listed by uuid.
BY_NAME = frozenset({"directory", "S3", "webdav"})
#: Programs of external special remotes that may be listed by name as well, with their address: DataLad's
#: ORA, which goes to the RIA store of that address only.  Each dataset's has a uuid of its own.
_PROGRAMS = frozenset({"ora"})
#: Special remotes of every annex, which our configuration disables.
BUILT_IN = frozenset({"web", "bittorrent"})
#: Fields that a dataset may set freely: they do not change where content and credentials go, or what
#: programs are started.  All other fields depend on the type and may do so.
_HARMLESS = frozenset(
    {
        "name",
        "sameas-name",
        "sameas-uuid",
        "type",
        "timestamp",
        "encryption",
        # Keys of the encryption: with others, content cannot be read, or is not what its hash says.
        "cipher",
        "cipherkeys",
        "pubkeys",
        "mac",
        "chunk",
        "chunksize",
        "autoenable",
        "cost",
        "datacenter",
        "storageclass",
        "exporttree",
        "importtree",
        "annexobjects",
        "partsize",
        "readonly",
        "signature",
        "requeststyle",
        "versioning",
    }
)
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HIDDEN = "(not shown)"
_TRUE = frozenset({"yes", "true", "1"})
#: Types that content is only fetched from.
_FETCHED_ONLY = frozenset({"web", "bittorrent", "httpalso"})
#: Programs of external special remotes of DataLad, likewise.
_FETCHING_PROGRAMS = frozenset({"uncurl", "datalad", "datalad-archives"})
#: An address whose host no field of a template chooses.
_FIXED_HOST = re.compile(r"https?://[^/{}@?#]+/")
_S3_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@dataclass(frozen=True, kw_only=True)
class Storage:
    """A special remote that the operator allows (``[[storage]]`` in the settings).

    The name ``origin`` means the forge itself, if it supports git-annex.
    """

    name: str
    uuid: str = ""
    type: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Whether the operator listed the repositories that may use it.
    listed: bool = False

    def describes(self, remote: DescribedRemote) -> bool:
        """Whether this is the remote that the operator means: by uuid, if one is listed, else by name.

        A remote with ``--sameas`` may be listed with the uuid that ``git annex info`` shows.
        """
        named = self.name == remote.name
        if not self.uuid:
            return named
        return self.uuid == remote.config_uuid or (named and self.uuid == remote.uuid)

    def may_be_named(self, kind: str) -> bool:
        """Whether a special remote of this type needs no uuid: the operator states where it goes."""
        program = self.options.get("externaltype") in _PROGRAMS and "url" in self.options
        return kind in BY_NAME or bool(self.uuid) or (kind == "external" and program)

    def difference(self, described: Mapping[str, str]) -> str:
        """All fields of the dataset's description that the operator did not list, as a sentence.

        Empty when there are none.  Everyone who may push can change the description: a storage of the
        right uuid and type could send the operator's credentials to another address.
        """
        # It asks any address that is recorded for a key, also by ssh, unless a template says which.
        fixed = _FIXED_HOST.match(self.options.get("url", ""))
        if described.get("externaltype") == "uncurl" and not fixed:
            return (
                f"storage {self.name} is of type uncurl, which goes where the dataset says; set url in "
                f"options of this [[storage]] to a template with a host of yours, such as "
                f"https://HOST/{{name}}"
            )
        different = {
            name: value
            for name, value in sorted(described.items())
            if not _is_harmless(name, value, described) and self.options.get(name) != value
        }
        if not different:
            return ""
        facts = ", ".join(f"{name} = {_shown(name, value)}" for name, value in different.items())
        listed = ", ".join(
            f"{name} = {_shown(name, self.options[name])}"
            for name in different
            if name in self.options
        )
        options = dict(self.options) | different
        line = ", ".join(
            f"{name} = {_shown(name, value) if _shown(name, value) != _HIDDEN else '…'}"
            for name, value in options.items()
        )
        settings = f"the settings say {listed}" if listed else "the settings do not list it"
        return (
            f"storage {self.name} has {facts} in the dataset, and {settings}; if that is right, "
            f"write it into options of this [[storage]]: options = {{ {line} }}"
        )

    def takes_no_results(self, described: Mapping[str, str]) -> str:
        """Why no content of results can be sent to it, as a sentence; empty when it can."""
        kind = described.get("type", self.type)
        reason = ""
        if _is(described, "exporttree") and not _is(described, "annexobjects"):
            reason = "is an export (exporttree=yes)"
        elif _is(described, "importtree") and not _is(described, "exporttree"):
            reason = "is an import (importtree=yes)"
        elif _is(described, "readonly"):
            reason = "is read-only (readonly=true)"
        elif described.get("externaltype") in _FETCHING_PROGRAMS:
            reason = f"is of type {described['externaltype']}, from which content is only fetched"
        elif described.get("url", "").startswith("ria+http") and not described.get("push-url"):
            reason = "has an address of http without a push-url, from which content is only fetched"
        elif kind in _FETCHED_ONLY:
            reason = f"is of type {kind}, from which content is only fetched"
        elif kind == "S3" and not self._has_s3_credentials():
            reason = (
                f"has no credentials ({' and '.join(_S3_CREDENTIALS)} in env of this [[storage]])"
            )
        return f"storage {self.name} {reason} and takes no results" if reason else ""

    def _has_s3_credentials(self) -> bool:
        return "s3creds" in self.options or all(self.env.get(name) for name in _S3_CREDENTIALS)

    def enabling(self, described: Mapping[str, str]) -> list[str]:
        """Options for git-annex-enableremote(1): those that the dataset does not state itself."""
        return [
            f"{name}={value}"
            for name, value in sorted(self.options.items())
            if described.get(name) != value
        ]


def _is_harmless(name: str, value: str, described: Mapping[str, str]) -> bool:
    """Whether a dataset may set a field to this value without the operator's word."""
    if name == "archive-id":
        # DataLad's ORA: the dataset's id, which is a folder in the store that the operator lists.
        return described.get("externaltype") == "ora" and _ID.fullmatch(value) is not None
    return name in _HARMLESS


def _is(described: Mapping[str, str], name: str) -> bool:
    return described.get(name, "").lower() in _TRUE


def _shown(name: str, value: str) -> str:
    """A value for people, without a password that may be in it."""
    if name not in SHOWN_FIELDS:
        return _HIDDEN
    return json.dumps(without_password(value)[:200], ensure_ascii=False)
