"""git-annex in a mirror: its keys are used, and content is verified when fetched and when sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.datums.content_identity import key_content
from tea_runner.core.errors import ContentMissing, OutsideError, Refused
from tea_runner.dataset.annex_content import Annex
from tea_runner.dataset.described_remotes import parse_remote_log
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.special_remote_policy import Storage
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A pushed dataset with one annexed file."""
    made = folder_lab(tmp_path)
    made.create(files={**ATTRIBUTES, "raw/a.txt": "a\n"})
    made.push()
    yield made
    made.close()


@pytest.fixture
def dataset(lab: Lab) -> Iterator[ForgeDataset]:
    """This host's view of it, after a fetch."""
    made = lab.site().repository(lab.name)
    made.refresh()
    yield made
    made.close()


@pytest.fixture
def annex(dataset: ForgeDataset) -> Annex:
    """The annex in its mirror, with storages enabled."""
    return dataset.prepared_annex()


def test_content_comes_from_storage(lab: Lab, annex: Annex) -> None:
    """A key's content is fetched once; the second time no storage is contacted."""
    key = os.readlink(lab.dataset / "raw/a.txt").rsplit("/", 1)[-1]

    assert b"a\n" == annex.get([key])[key].read_bytes()
    lab.store.rename(lab.root / "away")
    assert b"a\n" == annex.get([key, key])[key].read_bytes()


def test_content_that_is_nowhere_is_named(annex: Annex) -> None:
    """The message has the key, the number of files and the storages that were searched."""
    key = "MD5E-s7--00000000000000000000000000000000.txt"

    with pytest.raises(
        ContentMissing, match=f"1 of 1 files have no content in store.*{key}"
    ) as caught:
        annex.get([key])
    assert (key,) == caught.value.keys


def test_content_with_other_bytes_is_not_taken(lab: Lab, annex: Annex) -> None:
    """A damaged file in the storage is refused, even if its size is right."""
    key = os.readlink(lab.dataset / "raw/a.txt").rsplit("/", 1)[-1]
    (stored,) = lab.store.glob(f"*/*/{key}/{key}")
    stored.chmod(0o644)
    stored.write_bytes(b"b\n")

    with pytest.raises(ContentMissing):
        annex.get([key])


@pytest.mark.parametrize("name", ["x.txt", "a b.nii.gz", "ä", "new\nline.txt", "-dash"])
def test_new_content_is_keyed_sent_and_verified(
    lab: Lab, annex: Annex, tmp_path: Path, name: str
) -> None:
    """The key is the one of git-annex; afterwards the storage has the content, whatever the file's name."""
    file = tmp_path / name
    file.write_bytes(b"new\n")
    key = annex.key_of(file, "MD5E")
    annex.insert(file, key)
    annex.insert(file, key)
    annex.send([key])

    identity = key_content(key)
    assert identity is not None
    assert ("MD5", 4) == (identity.algorithm, identity.size)
    assert key == lab.do("git", "annex", "calckey", "--backend=MD5E", str(file)).removesuffix("\n")
    (stored,) = lab.store.glob(f"*/*/{key}/{key}")
    assert b"new\n" == stored.read_bytes()


def test_content_that_was_never_inserted_cannot_be_sent(annex: Annex) -> None:
    """The storage is checked after sending; a key that it does not have is an error."""
    with pytest.raises(OutsideError, match="store"):
        annex.send(["MD5E-s7--00000000000000000000000000000000.txt"])


def test_nothing_of_ours_goes_into_the_datasets_logs(lab: Lab, annex: Annex) -> None:
    """The mirror's annex is private: the git-annex branch does not mention it."""
    lab.git("fetch", "-q", "origin", "git-annex")
    assert "tea-runner" not in lab.git("show", "FETCH_HEAD:uuid.log")


def test_the_newest_line_of_a_remote_counts() -> None:
    """In remote.log the latest timestamp counts, in any order; a malformed one is the oldest."""
    log = (
        b"u1 name=old timestamp=1s\nu1 name=new timestamp=3.5s\nu1 name=x timestamp=2s\nu2 name=y\n"
    )

    assert {"u1": "new", "u2": "y"} == {u: c["name"] for u, c in parse_remote_log(log).items()}


@pytest.mark.parametrize(
    ("lines", "config"),
    [
        ("u url=a timestamp=1s\nu url=b timestamp=1s", {"url": "a or b", "timestamp": "1s"}),
        ("u url=a timestamp=2.01s\nu url=b timestamp=2.009s", {"url": "a", "timestamp": "2.01s"}),
        ("u url=a timestamp=1s\nu url=b timestamp=inf", {"url": "a", "timestamp": "1s"}),
        ("u url=a&32;b&61;c timestamp=1s", {"url": "a b=c", "timestamp": "1s"}),
    ],
    ids=["one time", "fractions", "no time", "spaces"],
)
def test_a_description_is_read_as_git_annex_reads_it(lines: str, config: dict[str, str]) -> None:
    """An ambiguous field gets both values, which equal nothing that an operator listed."""
    assert {"u": config} == parse_remote_log(lines.encode())


@pytest.mark.parametrize(
    ("described", "options", "wrong"),
    [
        ({"type": "S3", "bucket": "b", "host": "h"}, {"bucket": "b", "host": "h"}, ""),
        ({"type": "S3", "bucket": "b", "host": "h"}, {"bucket": "b"}, 'host = "h"'),
        ({"type": "S3", "bucket": "mine"}, {"bucket": "b"}, 'the settings say bucket = "b"'),
        ({"type": "webdav", "url": "https://x/"}, {}, 'url = "https://x/"'),
        ({"type": "S3", "bucket": "b", "s3creds": "x"}, {"bucket": "b"}, "s3creds = (not shown)"),
        ({"type": "rsync", "rsyncurl": "-e"}, {"rsyncurl": "h:/x"}, 'say rsyncurl = "h:/x"'),
        ({"type": "external", "externaltype": "x"}, {}, "write it into options"),
        ({"type": "directory", "encryption": "none", "chunk": "1MiB"}, {"directory": "/x"}, ""),
    ],
)
def test_a_storage_leads_where_the_operator_says(
    described: dict[str, str], options: dict[str, str], wrong: str
) -> None:
    """A field that affects the address must equal the operator's value."""
    said = Storage(name="s", options=options).difference(described)
    assert (bool(wrong), True) == (bool(said), wrong in said)


def test_what_is_changed_later_is_refused(lab: Lab, dataset: ForgeDataset) -> None:
    """When the dataset later changes the address of a storage in use, the storage is refused."""
    remotes = dataset.remotes
    log = lab.git("show", "git-annex:remote.log")
    remotes.enable(log.encode())
    uuid = log.split(" ")[0]
    for more in ("url=http://127.0.0.1:9/", "rsyncurl=-oProxyCommand=id", "externaltype=evil"):
        line = f"{uuid} name=store type=directory encryption=none {more} timestamp=99999999999s\n"
        with pytest.raises(Refused, match=more.partition("=")[0]):
            remotes.enable((log + line).encode())
    remotes.enable(log.encode())
