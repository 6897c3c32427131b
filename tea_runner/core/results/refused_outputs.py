"""Which files that a command wrote may become results, by name, kind and link target.

Results are committed, fetched by other people, and read by other programs: by git on systems that
fold case and Unicode, by forges that execute files at certain paths, by DataLad.  So a name is
refused if it has a special meaning for *any* of them (:mod:`reserved_names`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tea_runner.core.errors import OutputRefused
from tea_runner.core.results.reserved_names import fold_name, is_code, is_reserved, reserved_part

Kind = Literal["file", "symlink", "input link"]
#: git: all that git and a forge can hold.  portable: also nothing that Windows or macOS cannot hold.
#: any: also control characters, and bytes that are not UTF-8.
NamePolicy = Literal["git", "portable", "any"]


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenFile:
    """A file or link that a command wrote; directories follow from the paths."""

    #: Relative to the output directory, decoded with surrogateescape.
    path: str
    kind: Kind = "file"
    #: Bytes; 0 for links.
    size: int = 0
    executable: bool = False
    #: Target of a link, or the path below ``/pfs`` of a link to an input.
    target: str = ""


class Refusal(NamedTuple):
    """The reason why one path cannot become a result."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"output {printable(self.path)} {self.reason}" if self.path else self.reason


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputNameRules:
    """The operator's and the pipeline's rules for names."""

    #: Paths in the dataset that outputs must not replace, nor lie below: the pipeline file, its code.
    reserved: frozenset[str] = frozenset()
    #: Allow names with control characters, or that are not UTF-8.
    allow_odd_names: bool = False
    #: Allow names that some systems cannot distinguish or represent.
    allow_unportable: bool = False
    max_name_bytes: int = 255
    max_path_bytes: int = 4096
    max_depth: int = 100

    @classmethod
    def of(cls, names: NamePolicy, reserved: frozenset[str] = frozenset()) -> OutputNameRules:
        """The rules of an operator who allows these names."""
        return cls(
            reserved=reserved,
            allow_odd_names=names == "any",
            allow_unportable=names != "portable",
        )


_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?")
_UNPORTABLE = re.compile(r'[<>:"|?*\\]')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")


_SETTING = "outputs.names = "
_ODD = f'rename it, or ask the operator for {_SETTING}"any"'
_UNPORTABLE_HINT = f'rename it, or ask the operator for {_SETTING}"git"'


def printable(path: str) -> str:
    """A path for messages: control characters and undecodable bytes are escaped."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = re.sub(
        r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]",
        lambda match: match[0].encode("unicode_escape").decode("ascii"),
        text,
    )
    return repr(text)[0] + text[:300] + ("…" if len(text) > 300 else "") + repr(text)[0]


def _special(name: str) -> str:
    return f"{printable(name)} has a special meaning for tea-runner, git, DataLad or a forge"


def reason_to_refuse_name(name: str, rules: OutputNameRules) -> str:
    """The reason to refuse one component of a path, or the empty string."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return "has an invalid path"
    if is_reserved(name):
        return f"is not allowed: {_special(name)}"
    if len(name.encode("utf-8", "surrogateescape")) > rules.max_name_bytes:
        return f"has a name of more than {rules.max_name_bytes} bytes"
    if not rules.allow_odd_names:
        if _NOT_UTF8.search(name):
            return f"has a name that is not UTF-8; {_ODD}"
        if _CONTROL.search(name):
            return f"has a control character in its name; {_ODD}"
    if not rules.allow_unportable and (
        _DEVICES.fullmatch(name.casefold()) or _UNPORTABLE.search(name) or name[-1] in ". "
    ):
        return f"has a name that Windows cannot have; {_UNPORTABLE_HINT}"
    return ""


def refusals(
    outputs: Sequence[WrittenFile], *, home: str = "", rules: OutputNameRules = OutputNameRules()
) -> list[Refusal]:
    """All reasons against these outputs, in the order of their paths.

    :param home: where they will lie in the dataset.
    """
    found: list[Refusal] = []
    checked: dict[str, str] = {}
    part = reserved_part(home)
    if part and outputs:
        found.append(Refusal("", f"the outputs would lie in {printable(home)}: {_special(part)}"))
    for output in outputs:
        why = _path_refusal(output.path, home, rules, checked)
        if why:
            found.append(Refusal(output.path, why))
    paths = [output.path for output in outputs]
    found += _conflicts(paths)
    found += _repositories(paths)
    if not rules.allow_unportable:
        found += _collisions(paths)
    found += _links(outputs, rules)
    return sorted(set(found))


def _path_refusal(path: str, home: str, rules: OutputNameRules, checked: dict[str, str]) -> str:
    parts = path.split("/")
    full = f"{home}/{path}" if home else path
    if len(full.encode("utf-8", "surrogateescape")) > rules.max_path_bytes:
        return f"has a path of more than {rules.max_path_bytes} bytes: too long"
    if len(parts) > rules.max_depth:
        return f"lies deeper than {rules.max_depth} directories: too deep"
    for part in parts:
        if part not in checked:
            checked[part] = reason_to_refuse_name(part, rules)
        if checked[part]:
            return checked[part]
    if is_code(full):
        return f"is not allowed: {_special(full)}"
    if rules.reserved:
        place = ""
        for part in full.split("/"):
            place = f"{place}/{part}" if place else part
            if place in rules.reserved:
                return f"is not allowed: {printable(place)} is reserved"
    return ""


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _conflicts(paths: Sequence[str]) -> list[Refusal]:
    """Paths that are both a file and a directory, or were written twice."""
    directories = {parent for path in paths for parent in _parents(path)}
    found = [Refusal(p, "is both a file and a directory") for p in paths if p in directories]
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            found.append(Refusal(path, "was written twice"))
        seen.add(path)
    return found


def _repositories(paths: Sequence[str]) -> list[Refusal]:
    return [
        Refusal(directory or ".", "looks like a git repository, whose configuration git would use")
        for directory, names in _repository_parts(paths).items()
        if _is_repository(names)
    ]


def repository_shaped(paths: Iterable[str], exists: Callable[[str], bool]) -> str | None:
    """A directory that git would treat as a repository, with what is there already; None for none.

    :param paths: outputs of several datums, relative to the dataset.
    :param exists: whether a path of the dataset exists.
    """
    for directory, names in _repository_parts(paths).items():
        prefix = f"{directory}/" if directory else ""
        there = {name.lower() for name in _GIT_PARTS if exists(prefix + name)}
        if _is_repository(names | there):
            return directory or "."
    return None


#: What makes git take a directory for a repository (its setup.c, is_git_directory).
_GIT_PARTS = ("HEAD", "objects", "refs", "commondir")
_FOLDED_PARTS = frozenset(part.lower() for part in _GIT_PARTS)


def _is_repository(names: Collection[str]) -> bool:
    return "head" in names and ("commondir" in names or ("objects" in names and "refs" in names))


def _repository_parts(paths: Iterable[str]) -> dict[str, set[str]]:
    """Directories with entries of a git repository, and which ones they have."""
    inside: dict[str, set[str]] = {}
    for path in paths:
        above = ""
        for part in path.split("/"):
            if (folded := fold_name(part)) in _FOLDED_PARTS:
                inside.setdefault(above, set()).add(folded)
            above = f"{above}/{part}" if above else part
    return inside


def _collisions(paths: Sequence[str]) -> list[Refusal]:
    """Names that collide on systems that ignore case or Unicode form."""
    first: dict[str, str] = {}
    found: list[Refusal] = []
    every = {place for path in paths for place in (*_parents(path), path)}
    for path in sorted(every):
        key = "/".join(fold_name(part) for part in path.split("/"))
        other = first.setdefault(key, path)
        # everything below colliding directories collides: report only the top
        if other != path and path.rpartition("/")[0] == other.rpartition("/")[0]:
            found.append(
                Refusal(
                    path,
                    f"and {printable(other)}: names collide on some systems; rename one, or "
                    f'ask the operator for {_SETTING}"git"',
                )
            )
    return found


def _links(outputs: Sequence[WrittenFile], rules: OutputNameRules) -> list[Refusal]:
    kinds: dict[str, WrittenFile | None] = {"": None}
    for output in outputs:
        kinds.update(dict.fromkeys(_parents(output.path)))
    kinds.update({output.path: output for output in outputs})
    found = []
    for output in outputs:
        if output.kind == "symlink":
            why = _link_refusal(output, rules) or _resolve(output, kinds)
            if why:
                found.append(Refusal(output.path, why))
    return found


def _link_refusal(link: WrittenFile, rules: OutputNameRules) -> str:
    parts = link.target.split("/")
    ups = next((i for i, part in enumerate(parts) if part != ".."), len(parts))
    # ".." after a name leaves by whatever that name links to
    if link.target.startswith("/") or ups > link.path.count("/") or ".." in parts[ups:]:
        return f"is a link out of the tree, to {printable(link.target)}"
    for part in parts[ups:]:
        if part not in ("", "."):
            why = reason_to_refuse_name(part, rules)
            if why:
                return f"is a link to {printable(link.target)}, which {why}"
    return ""


def _resolve(link: WrittenFile, kinds: Mapping[str, WrittenFile | None]) -> str:
    """Why a link does not lead to a file that was written, in at most 40 steps; empty if it does."""
    here = link.path.split("/")[:-1]
    todo = link.target.split("/")[::-1]
    steps = 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                return f"is a link out of the tree, to {printable(link.target)}"
            here.pop()
            continue
        place = "/".join((*here, part))
        if place not in kinds:
            return f"is a link to {printable(link.target)}, which does not exist"
        there = kinds[place]
        if there is not None and there.kind == "symlink":
            steps += 1
            if steps > 40:
                return f"is a link in a cycle: {printable(link.target)}"
            todo.extend(there.target.split("/")[::-1])
        elif there is not None and any(name not in ("", ".") for name in todo):
            return f"is a link to {printable(link.target)}, which does not exist"
        else:
            here.append(part)
    return ""


def raise_refusals(refused: Iterable[Refusal]) -> None:
    """Raise an error if anything is refused.

    :raises OutputRefused: with the first ten reasons.
    """
    reasons = [str(refusal) for refusal in refused]
    if reasons:
        more = f"\n… and {len(reasons) - 10} more" if len(reasons) > 10 else ""
        raise OutputRefused("\n".join(reasons[:10]) + more)
