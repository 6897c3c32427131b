"""Content keys of datums.

A key is the SHA-256 of a canonical form of everything that the command can observe, and nothing
else.  Every field has its type and its length in the form, so that it is injective.
Not in the key: repository, branch, commit, pipeline name, directory of the outputs, resources,
timeouts, tries, priorities.  ``docs/explanation/what-is-in-a-key.md`` lists the fields.
``tests/core/datums/vectors`` holds golden keys: a change that alters one of them needs a new ``FORMAT``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tea_runner.core.datums.content_identity import Content
from tea_runner.core.pipeline import Pipeline

#: Version of the canonical form, the first field of each key.
FORMAT = 1


class VisibleFile(NamedTuple):
    """A file as the command sees it: its path within the view and its content.

    *content* is None for the placeholders of ``empty_files`` that no output can stand for.
    """

    path: str
    executable: bool
    content: Content | None


class VisibleInput(NamedTuple):
    """One entry as the command sees it: the input's name, the entry's path and its files."""

    name: str
    path: str
    is_dir: bool
    join_on: str
    group_by: str
    files: tuple[VisibleFile, ...]


@dataclass(frozen=True, slots=True)
class KeyBase:
    """Digests of what all datums of a pipeline share, in four parts so that a change can be named."""

    command: str
    parameters: str
    environment: str
    code: str

    @property
    def parts(self) -> dict[str, str]:
        """The four digests by name, shortened to 16 hex digits."""
        return {
            "command": self.command[:16],
            "parameters": self.parameters[:16],
            "environment": self.environment[:16],
            "code": self.code[:16],
        }


def canonical(value: object) -> bytes:
    """Canonical form of nested tuples of str, bytes, int, bool and None: type, length, value.

    :raises TypeError: for a value of any other type.
    """
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return b"b%d:%s" % (len(value), value)
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"i%d;" % value
    if value is None:
        return b"n"
    if isinstance(value, (tuple, list)):
        return b"l%d:%s" % (len(value), b"".join(map(canonical, value)))
    raise TypeError(f"no canonical form for {type(value).__name__}")


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogateescape")
    return b"s%d:%s" % (len(data), data)


def _digest(*values: object) -> str:
    return hashlib.sha256(canonical(values)).hexdigest()


def _file(file: VisibleFile) -> bytes:
    name, executable, content = file
    path = name.encode("utf-8", "surrogateescape")
    if content is None:
        return b"F%d:%s%d e" % (len(path), path, executable)
    algorithm, size, digest = content
    return b"F%d:%s%d %s %d %s;" % (
        len(path),
        path,
        executable,
        algorithm.encode(),
        size,
        digest.encode(),
    )


def key_base(
    pipeline: Pipeline, environment: Sequence[str], code: Iterable[VisibleFile], *, push: str = ""
) -> KeyBase:
    """The part of the key that does not depend on the datum.

    :param environment: identity of the environment, such as ``("host",)`` or
        ``("image", "sha256:…")``.
    :param push: the pushed commit for ``reprocess_spec: every_job``, so that each push has new keys.
    :param code: the declared files that the command sees besides its inputs.
    """
    transform = pipeline.transform
    return KeyBase(
        command=_digest(
            transform.cmd,
            transform.stdin,
            transform.working_dir,
            tuple(sorted(transform.accept_return_code)),
            transform.err_cmd,
            transform.err_stdin,
            pipeline.view,
            pipeline.outputs if pipeline.view == "dataset" else (),
        ),
        parameters=_digest(
            tuple(sorted(transform.env)),
            transform.user,
            transform.network,
            pipeline.salt,
            pipeline.output_path is not None,
            *((push,) if push else ()),
        ),
        environment=_digest(tuple(environment)),
        code=code_part(code),
    )


def code_part(code: Iterable[VisibleFile]) -> str:
    """Digest of the declared files that a command sees besides its inputs, in any order."""
    return _digest(b"".join(map(_file, sorted(code, key=lambda file: file.path))))


def combined_digest(keys: Sequence[str]) -> str:
    """Digest of several keys, 16 hex digits."""
    return _digest(tuple(keys))[:16]


def key_maker(shared: KeyBase) -> Callable[[Sequence[VisibleInput]], str]:
    """A function that makes the keys (64 hex digits) of one pipeline.

    The common beginning of all keys is hashed once.  The loop body writes out :func:`_text` and
    :func:`_file` for speed; a property test compares it with :func:`canonical`.
    """
    prefix = hashlib.sha256(
        b"tea-key %d\0%s\0%s\0%s\0%s\0"
        % (
            FORMAT,
            shared.command.encode(),
            shared.parameters.encode(),
            shared.environment.encode(),
            shared.code.encode(),
        )
    )

    names: dict[str, bytes] = {}

    def make(inputs: Sequence[VisibleInput]) -> str:
        digest = prefix.copy()
        for name, path, is_dir, join_on, group_by, files in inputs:
            first = names.get(name)
            if first is None:
                first = names[name] = _text(name)
            at = path.encode("utf-8", "surrogateescape")
            file = files[0] if len(files) == 1 else None
            if file is not None and file.path is path and file.content is not None:
                # The entry is one file, as most are: ``_file`` with the path that is encoded already.
                algorithm, size, hexadecimal = file.content
                inside = b"F%d:%s%d %s %d %s;" % (
                    len(at),
                    at,
                    file.executable,
                    algorithm.encode(),
                    size,
                    hexadecimal.encode(),
                )
            else:
                inside = b"".join(map(_file, files))
            digest.update(
                b"l5:%ss%d:%s%s%s%sI%d:%s"
                % (
                    first,
                    len(at),
                    at,
                    b"t" if is_dir else b"f",
                    _text(join_on) if join_on else b"s0:",
                    _text(group_by) if group_by else b"s0:",
                    len(files),
                    inside,
                )
            )
        return digest.hexdigest()

    return make


def datum_key(shared: KeyBase, inputs: Sequence[VisibleInput]) -> str:
    """The key of one datum; see :func:`key_maker`."""
    return key_maker(shared)(inputs)
