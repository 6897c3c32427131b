"""Files that cannot be inputs: each with its reason, all of them in one error, with advice that works."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tea_runner.core.datums import content_identity
from tea_runner.core.errors import UserError
from tea_runner.core.git.tree import LINK

#: Files that an error names for each reason.
_NAMES = 10

Cause = Literal["link", "lfs", "no hash", "no size", "unsafe"]


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """Why a file cannot be an input."""

    cause: Cause
    #: In the dataset that it belongs to; *dataset* is that one's path, empty for the one that is planned.
    path: str
    dataset: str = ""
    #: git-annex's backend of its key, or the target of a symlink.
    detail: str = ""

    @property
    def full_path(self) -> str:
        """Its path in the dataset that is planned."""
        return f"{self.dataset}/{self.path}" if self.dataset else self.path


class UnusableFilesError(UserError):
    """Some files cannot be inputs."""

    def __init__(self, files: Sequence[Unusable]) -> None:
        self.files = tuple(files)
        groups: dict[tuple[str, str, str], list[Unusable]] = {}
        for file in files:
            groups.setdefault((file.cause, file.detail, file.dataset), []).append(file)
        problem = "; ".join(map(_problem, groups.values()))
        if len(files) > 1:
            problem = f"{len(files)} files cannot be inputs: {problem}"
        super().__init__(problem, hint="; ".join(filter(None, map(_cure, _by_cure(files)))))


def why_unusable(path: str, dataset: str, mode: int, data: bytes) -> Unusable:
    """Why a file of this mode and with this blob cannot be an input."""
    key = content_identity.pointer_key(mode, data)
    if key is None:
        target = data.decode("utf-8", "replace") if mode == LINK else ""
        return Unusable(
            cause="link" if mode == LINK else "lfs", path=path, dataset=dataset, detail=target
        )
    backend = key.split("-", 1)[0]
    cause: Cause = "no hash"
    if content_identity.key_content(key) is not None:
        cause = "unsafe"
    elif content_identity.is_digest_backend(backend) and content_identity.key_size(key) is None:
        cause = "no size"
    return Unusable(cause=cause, path=path, dataset=dataset, detail=backend)


def _by_cure(files: Sequence[Unusable]) -> Sequence[Sequence[Unusable]]:
    """The files of each dataset that one command cures; new keys for few files are made together."""
    keyed = [file for file in files if file.cause not in ("link", "lfs")]
    together = len(keyed) <= _NAMES
    groups: dict[tuple[str, ...], list[Unusable]] = {}
    for file in files:
        few = together and file.cause not in ("link", "lfs")
        cure = ("keys",) if few else (file.cause, file.detail)
        groups.setdefault((file.dataset, *cure), []).append(file)
    return list(groups.values())


def _problem(files: Sequence[Unusable]) -> str:
    first, more = files[0], len(files) - _NAMES
    names = ", ".join(file.full_path for file in files[:_NAMES])
    names += f" and {more} more" if more > 0 else ""
    one = len(files) == 1
    names, has, is_ = (
        (f"input {names}", "has an annex key", "is") if one else (names, "have annex keys", "are")
    )
    match first.cause:
        case "link":
            noun = "a symlink" if one else "symlinks"
            which = "which is no annexed file" if one else "which are no annexed files"
            return f"{names} {is_} {noun} to {first.detail}, {which}"
        case "lfs":
            return f"{names} {is_} kept by Git LFS, and LFS files are not supported"
        case "unsafe":
            return (
                f"{names} {has} of backend {first.detail}, and only cryptographically safe hashes "
                "are accepted here (annex.strict_hashes)"
            )
        case "no size":
            return f"{names} {has} of backend {first.detail} without a size"
    return f"{names} {has} of backend {first.detail}, which is no hash of its content"


def _cure(files: Sequence[Unusable]) -> str:
    first = files[0]
    git = f"git -C {shlex.quote(first.dataset)}" if first.dataset else "git"
    paths = " ".join(shlex.quote(file.path) for file in files[:_NAMES])
    if first.cause == "lfs":
        return f"give it to git-annex: git lfs migrate export, then {git} annex add {paths}"
    if first.cause == "link":
        return ""
    which = ""
    if len(files) > _NAMES:
        # Of a backend with hashes, other files have keys with a size, which they keep.
        by_backend = first.cause != "no size"
        which, paths = (f"--inbackend={first.detail} ", ".") if by_backend else ("", "FILES")
    # git annex migrate does nothing, and says so to nobody, where the content is not here.
    return (
        f"give {'them' if len(files) > 1 else 'it'} one with: {git} annex get {which}{paths} && "
        f"{git} annex migrate {which}--backend=SHA256E {paths} && {git} commit -m 'hashes as keys'"
    )
