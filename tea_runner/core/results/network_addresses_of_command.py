"""Where commands with a network fetch from, as far as their pipelines say: addresses for the record."""

from __future__ import annotations

import re
import string

from tea_runner.core.pipeline import Pipeline

#: Trailer of records.
SOURCE = "Tea-Source"
#: Addresses that a record names.
_MOST = 20
_ADDRESS = re.compile(r"(?:https?|ftps?|sftp|s3)://[^\s\"'`<>|;\\(){}$]{1,500}")
_USER = re.compile(r"^([a-z0-9]+://)[^/?#]*@")
_END = ".,:!&"


def sources_of(pipeline: Pipeline) -> tuple[str, ...]:
    """The addresses in a pipeline's command and variables, sorted, without users and passwords.

    Variables in the command are replaced by their values.  Without a network there are none.
    """
    transform = pipeline.transform
    if not transform.network:
        return ()
    env = dict(transform.env)
    texts = [*transform.cmd, *transform.stdin, *env.values()]
    found = {
        _USER.sub(r"\1", address.rstrip(_END))
        for text in texts
        for address in _ADDRESS.findall(string.Template(text).safe_substitute(env))
    }
    return tuple(sorted(found)[:_MOST])
