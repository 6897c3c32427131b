"""A trigger as the operator declares it: where events come from, and where in a dataset they go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal, get_args

from tea_runner.core.deliveries.registered_webhook import is_repository_name
from tea_runner.core.events.path_template import template_problem
from tea_runner.core.git.branch_kinds import exclusion
from tea_runner.core.results.reserved_names import CODE_FOLDER, is_code, reserved_part

TriggerKind = Literal["webhook", "objects", "http", "sse", "kinesis", "nats", "mqtt", "websocket"]
KINDS: tuple[str, ...] = get_args(TriggerKind)
#: Kinds whose messages are read from a position.
STREAMS = ("http", "sse", "kinesis", "nats", "mqtt", "websocket")
#: Kinds that read one of several streams of an address, or one topic.
_NAMED = ("kinesis", "nats", "mqtt")
#: Beginnings of the addresses of kinds.
_SCHEMES = {
    "nats": ("nats://", "tls://"),
    "mqtt": ("mqtt://", "mqtts://"),
    "websocket": ("wss://", "ws://"),
}
#: Begins an ``id`` that is a header of the request.
HEADER = "header:"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """Where events come from, and where they go.

    :param name: also the last part of a webhook's address.
    :param repository: ``owner/name``.
    :param folder: folder of the dataset that files go to; empty where an event asks for a plan only.
    :param path: template of the path below the folder.
    :param keep: JSON pointer of the part of a body that is kept; empty for all of it.
    :param id: JSON pointer of what tells one event from another, or ``header:NAME``; empty for the digest
        of the body.
    :param max_body: bytes of the largest body.
    :param signature: header with the HMAC of a body.
    :param addresses: networks that requests may come from; empty for all.
    :param storage: name of the ``[[storage]]`` whose objects become files.
    :param every: seconds between two looks at the source.
    :param url: where messages are read; of kinesis, of a server other than Amazon's.
    :param stream: name of a stream of kinesis or nats; a topic of mqtt.
    """

    name: str
    kind: TriggerKind = "webhook"
    repository: str
    branch: str = "main"
    folder: str = ""
    path: str = "{id}"
    keep: str = ""
    id: str = ""
    max_body: int = 1 << 20
    signature: str = "X-Hub-Signature-256"
    addresses: tuple[str, ...] = ()
    storage: str = ""
    every: float = 60.0
    url: str = ""
    stream: str = ""

    @property
    def ref(self) -> str:
        """The branch as a full ref."""
        return f"refs/heads/{self.branch}"


def trigger_problem(trigger: Trigger) -> str:
    """What is wrong with a trigger, as the end of "expected …"; empty when nothing is."""
    if not _NAME.fullmatch(trigger.name):
        return "a name of letters, digits, dash and underscore"
    if not is_repository_name(trigger.repository):
        return "repository as owner/name"
    if why := exclusion(trigger.branch, ("*",), pull_requests=False):
        return f"another branch than {trigger.branch}: {why}"
    if trigger.folder and (problem := folder_problem(trigger.folder)):
        return f"another folder than {trigger.folder}: {problem}"
    if problem := template_problem(trigger.path):
        return f"another path than {trigger.path}: {problem}"
    if trigger.keep and not trigger.keep.startswith("/"):
        return "keep as a JSON pointer, such as /data"
    name = trigger.id.removeprefix(HEADER)
    if trigger.id and not trigger.id.startswith("/") and name == trigger.id:
        return "id as a JSON pointer, such as /event/id, or as header:NAME"
    if name != trigger.id and not _HEADER.fullmatch(name):
        return "the name of a header after header:"
    if not _HEADER.fullmatch(trigger.signature):
        return "the name of a header as signature"
    if trigger.kind != "webhook" and not trigger.folder:
        return "folder, for what the source brings,"
    if (trigger.kind == "objects") != bool(trigger.storage):
        return "storage, the name of a [[storage]], for kind objects and for no other"
    if trigger.kind in STREAMS and trigger.kind != "kinesis" and not trigger.url:
        return "url, which messages are read from,"
    schemes = _SCHEMES.get(trigger.kind, ("https://", "http://"))
    if trigger.url and not trigger.url.startswith(schemes):
        return f"url with {' or '.join(schemes)}"
    if "@" in trigger.url.partition("://")[2].partition("/")[0]:
        # Whoever sees the settings, or an error, would see the password.
        return "url without a name and password, which come from token_file or env,"
    if (trigger.kind in _NAMED) != bool(trigger.stream):
        return (
            f"stream, the name of a stream or topic, for kinds {', '.join(_NAMED)} and for no other"
        )
    for text in trigger.addresses:
        try:
            ip_network(text)
        except ValueError:
            return f"an address or network, such as 192.0.2.0/24, in place of {text}"
    return ""


def folder_problem(folder: str) -> str:
    """Why this can be no folder of data; empty when it can."""
    parts = folder.split("/")
    if "" in parts or {".", ".."} & set(parts) or "\\" in folder or "\0" in folder:
        return "a path from the top of the dataset is expected, such as incoming/orders"
    if is_code(folder):
        return f"{CODE_FOLDER}/ is code of all pipelines"
    if part := reserved_part(folder):
        return f"{part} has a special meaning for tea-runner, git or a forge"
    return ""
