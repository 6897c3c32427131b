"""The one list of names that no output may have, at any depth: they steer other programs.

An output is content and nothing else.  A file of one of these names would be a pipeline, a row of
known results, a rule of git, DataLad or git-annex, or something that a forge executes.

Names are compared as the least careful reader sees them: without case, without characters that some
file system ignores, in compatibility form (NFKC), and by the short names of NTFS.  The rules for
git's names are those of git's ``verify_path`` with ``protectHFS`` and ``protectNTFS``, applied to
all names of the list.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from tea_runner.core.results import manifest_text
from tea_runner.core.spec.pipeline_file_names import IGNORE_NAME, SPEC_NAMES


@dataclass(frozen=True, kw_only=True, slots=True)
class ReservedGroup:
    """Names that are reserved for the same reason."""

    #: The program or programs that would act on a file of such a name.
    reader: str
    names: tuple[str, ...]
    #: Reserved are all names that begin with one of these, too.
    prefixes: tuple[str, ...] = ()


GROUPS = (
    ReservedGroup(reader="tea-runner, as a pipeline", names=(*SPEC_NAMES, IGNORE_NAME)),
    ReservedGroup(
        reader="tea-runner, as known results",
        names=(manifest_text.DIRECTORY,),
        prefixes=(manifest_text.NAME, "manifest.sig"),
    ),
    ReservedGroup(
        reader="git, git-annex and DataLad",
        names=(
            ".git",
            ".gitmodules",
            ".gitattributes",
            ".gitignore",
            ".datalad",
            ".mailmap",
            ".lfsconfig",
            ".noannex",
        ),
        prefixes=(".gitannex",),
    ),
    ReservedGroup(
        reader="forges and build services, which execute it",
        names=(
            ".appveyor.yml",
            ".build.yml",
            ".buildkite",
            ".builds",
            ".circleci",
            ".cirrus.star",
            ".cirrus.yml",
            ".forgejo",
            ".gitea",
            ".github",
            ".gitlab",
            ".gitlab-ci.yml",
            ".gitpod.yml",
            ".semaphore",
            ".tekton",
            ".travis.yml",
            "appveyor.yml",
            "azure-pipelines.yml",
            "bitbucket-pipelines.yml",
            "buildspec.yml",
            "codeowners",
            "jenkinsfile",
            "netlify.toml",
            "renovate.json",
            "vercel.json",
        ),
        prefixes=(".drone.", ".readthedocs.", ".renovaterc", ".woodpecker", ".zuul."),
    ),
    ReservedGroup(
        reader="editors and shells, which execute it",
        names=(
            ".envrc",
            ".husky",
            ".idea",
            ".mise.toml",
            ".pre-commit-config.yaml",
            ".pre-commit-hooks.yaml",
            ".vscode",
            "mise.toml",
        ),
        prefixes=(".devcontainer",),
    ),
)
#: Folder at the top of a dataset whose files are the code of each pipeline that does not list its own.
CODE_FOLDER = "code"
_NAMES = frozenset(name for group in GROUPS for name in group.names)
_PREFIXES = tuple(prefix for group in GROUPS for prefix in group.prefixes)
#: Prefixes of the short names that NTFS falls back to for git's files (git's path.c).
_HASHED = frozenset({"gi7eba", "gi250a", "gi7d29", "maba30"})
_SHORT = re.compile(r"(?P<stem>[^~.]{2,8})~[0-9]+(\..{0,3})?")
_STEMS = frozenset(name.replace(".", "") for name in (*_NAMES, *_PREFIXES))

#: Characters that some file system ignores in names: those of HFS+ (git's utf8.c, next_hfs_char), and
#: Unicode's Default_Ignorable_Code_Point, which case-insensitive ext4 ignores.
_IGNORED = dict.fromkeys(
    character
    for first, last in (
        (0x00AD, 0x00AD),
        (0x034F, 0x034F),
        (0x061C, 0x061C),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFF8),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE0FFF),
    )
    for character in range(first, last + 1)
)


def fold_name(name: str) -> str:
    """The name without what some file system ignores: case, Unicode form, invisible characters."""
    # NTFS has streams after a colon, and drops dots and spaces at the end.
    text = name.translate(_IGNORED).rstrip(". ")
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def is_reserved(name: str) -> bool:
    """Whether one component of a path is on the list, however it is spelled."""
    # On Windows a backslash separates directories, and a colon a file from its stream.
    return any(_is_reserved(part.partition(":")[0]) for part in name.split("\\"))


def _is_reserved(name: str) -> bool:
    if name.isascii():
        seen = name.lower().rstrip(". ")
    else:
        text = unicodedata.normalize("NFKC", fold_name(name)).translate(_IGNORED)
        seen = unicodedata.normalize("NFKC", text.casefold()).rstrip(". ")
    short = _SHORT.fullmatch(seen) if "~" in seen else None
    return (
        seen in _NAMES
        or seen.startswith(_PREFIXES)
        or (short is not None and any(stem.startswith(short["stem"]) for stem in _STEMS))
        or (short is not None and short["stem"] in _HASHED)
    )


def reserved_part(path: str) -> str:
    """The first reserved component of a path, or the empty string."""
    return next((part for part in path.split("/") if is_reserved(part)), "")


def is_code(path: str) -> bool:
    """Whether a path of the dataset is in the folder that pipelines execute files of."""
    return fold_name(path.partition("/")[0]) == CODE_FOLDER


def reserved_names_reference() -> str:
    """The page of the reference that lists the names."""
    lines = [
        "# Names that outputs cannot have",
        "",
        "Made from `tea_runner/core/results/reserved_names.py` by a test; do not edit.",
        "",
        "A result is content and nothing else: a command cannot write a file that steers another program.",
        "These names are refused for files, directories and links, at every depth below the pipeline's "
        "folder, for both values of `view`.",
        "They are refused when the outputs are collected, and once more before a results commit is made.",
        "A pipeline cannot lie in a folder of such a name either.",
        f"The same holds for the folder `{CODE_FOLDER}/` at the top of the dataset, whose files are code of "
        "all pipelines that do not list their own (`transform.code`).",
        "",
        "Names are compared without case, in the Unicode form NFKC, without invisible characters, without "
        "dots and spaces at the end, without what follows a colon, and by the short names of NTFS "
        "(`SPEC~1.YML`).",
        "",
        "| Read by | Names | All names that begin with |",
        "| --- | --- | --- |",
    ]
    for group in GROUPS:
        names, prefixes = (
            ", ".join(f"`{each}`" for each in sorted(some))
            for some in (group.names, group.prefixes)
        )
        lines.append(f"| {group.reader} | {names} | {prefixes} |")
    return "\n".join(lines) + "\n"
