"""Content in annexed archives: what ``datalad add-archive-content`` leaves, without DataLad's program."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from datalad.support.network import URL

from tea_runner.core.errors import ContentMissing, Refused
from tea_runner.dataset import archive_members
from tea_runner.dataset.archived_content import ArchivePlace, archive_places
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES

NAME = "top/sub/b c+#&\u00e9.dat"
FILES = {NAME: b"\0data", "top/a.txt": b"a\n"}
REMOTE = "c04eb54b-4b4e-5755-8436-866b043170fa"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A dataset whose storage has nothing yet."""
    made = folder_lab(tmp_path)
    made.create(files={**ATTRIBUTES, "raw/a.txt": "a\n"})
    yield made
    made.close()


def pack(path: Path, files: dict[str, bytes] = FILES) -> None:
    """An archive of the kind that its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, data in files.items():
                zipped.writestr(name, data)
        return
    mode = {"gz": "w:gz", "xz": "w:xz", "bz2": "w:bz2", "tar": "w"}[path.name.rpartition(".")[2]]
    with tarfile.open(path, mode) as packed:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))


def key_at(lab: Lab, path: str) -> str:
    """The annex key of a file."""
    return os.readlink(lab.dataset / path).rsplit("/", 1)[-1]


def archived(lab: Lab, archive: str, member: str, data: bytes, at: str = "raw/in.dat") -> str:
    """A file whose content is in an archive only; returns its key.

    These are the steps of ``datalad add-archive-content`` for one file.
    """
    file = lab.dataset / at
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    lab.do("git", "annex", "add", "-q", "--force-large", at)
    key = key_at(lab, at)
    url = URL(
        scheme="dl+archive",
        path=key_at(lab, archive),
        fragment={"path": member, "size": len(data)},
    )
    lab.do("git", "annex", "registerurl", "-q", key, str(url))
    lab.do("git", "annex", "setpresentkey", key, REMOTE, "1")
    lab.do("git", "annex", "drop", "-q", "--force", at)
    return key


def published(lab: Lab, archive: str, files: dict[str, bytes] = FILES) -> None:
    """An archive in the dataset, with its content in the storage, and DataLad's remote."""
    pack(lab.dataset / archive, files)
    lab.do("git", "annex", "add", "-q", "--force-large", archive)
    lab.do("git", "annex", "copy", "-q", "--to", "store", archive)
    words = ("type=external", "externaltype=datalad-archives", "encryption=none", "autoenable=true")
    lab.do("git", "annex", "initremote", "-q", "datalad-archives", *words, f"uuid={REMOTE}")


def push(lab: Lab) -> None:
    """Commit and push."""
    lab.save("archives")
    lab.git("push", "-q", "origin", "HEAD:main", "git-annex")


@pytest.mark.long
@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tar.xz", "x.tar.bz2", "x.zip"])
def test_content_of_archives_is_had_without_their_storage_or_datalad(lab: Lab, name: str) -> None:
    """The archive is fetched from where it is; nothing else is asked, and no program is started."""
    published(lab, name)
    keys = [
        archived(lab, name, member, data, f"raw/{number}.dat")
        for number, (member, data) in enumerate(FILES.items())
    ]
    push(lab)
    dataset = lab.site().repository(lab.name)
    dataset.refresh()
    annex = dataset.prepared_annex()

    files = annex.get(keys)

    assert list(FILES.values()) == [files[key].read_bytes() for key in keys]
    assert set(files) == set(annex.get(keys))
    dataset.close()


@pytest.mark.parametrize(
    ("member", "data", "why"),
    [
        ("top/none", b"x", "its archive has no file top/none"),
        (NAME, b"other", "in its archive has another content"),
        (NAME, b"\0data and more", "in its archive has another content"),
        ("../../../../../../etc/passwd", b"x", "its archive has no file"),
    ],
)
def test_only_the_content_of_the_key_comes_out(
    lab: Lab, member: str, data: bytes, why: str
) -> None:
    """Whoever writes the log cannot have other bytes used, or read anything else."""
    published(lab, "x.tar.gz")
    key = archived(lab, "x.tar.gz", member, data)
    push(lab)
    dataset = lab.site().repository(lab.name)
    dataset.refresh()

    with pytest.raises(ContentMissing, match=why):
        dataset.prepared_annex().get([key])
    dataset.close()


@pytest.mark.long
def test_an_archive_in_an_archive_and_one_in_itself(lab: Lab) -> None:
    """The one is opened; the other ends."""
    inner = lab.root / "inner.tar"
    pack(inner)
    published(lab, "outer.tar.gz", {"inner.tar": inner.read_bytes()})
    archived(lab, "outer.tar.gz", "inner.tar", inner.read_bytes(), "inner.tar")
    key = archived(lab, "inner.tar", NAME, FILES[NAME])
    loop = archived(lab, "raw/in.dat", "x", b"loop", "raw/loop.dat")
    lab.do("git", "annex", "registerurl", "-q", loop, f"dl+archive:{loop}#path=x")
    push(lab)
    dataset = lab.site().repository(lab.name)
    dataset.refresh()
    annex = dataset.prepared_annex()

    assert FILES[NAME] == annex.get([key])[key].read_bytes()
    with pytest.raises(ContentMissing):
        annex.get([loop])
    dataset.close()


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a compressed tar some multiple of its size is read, and no large header at once."""
    monkeypatch.setattr(archive_members, "_FREE", 1 << 20)
    archive = tmp_path / "x.tar.gz"
    pack(archive, {"a": bytes(64 << 20), "b": b"b"})
    with pytest.raises(Refused, match="unpacked it has more than"):
        list(archive_members.archive_members(archive, ["b"]))

    with tarfile.open(archive, "w:gz", format=tarfile.GNU_FORMAT) as packed:
        info = tarfile.TarInfo("x" * (20 << 20))
        packed.addfile(info)
    with pytest.raises(Refused, match=r"too large|more than"):
        list(archive_members.archive_members(archive, ["b"]))


@pytest.mark.parametrize(
    ("log", "places"),
    [
        (b"1s 1 :dl+archive:K-s1--x#path=a/b+c%2B&size=3\n", [("K-s1--x", "a/b c+")]),
        (b"1s 1 dl+archive:K/a/b#size=3\n", [("K", "a/b")]),
        (b"1s 0 :dl+archive:K#path=a\n2s 1 http://x/y\nnonsense\n\xff\n", []),
        (b"1s 1 :dl+archive:../K#path=a\n1s 1 :dl+archive:#path=a\n", []),
    ],
)
def test_logs_of_urls_are_read(log: bytes, places: list[tuple[str, str]]) -> None:
    """Both forms of DataLad's URL; others are of no interest."""
    assert [ArchivePlace(*each) for each in places] == list(archive_places(log))
