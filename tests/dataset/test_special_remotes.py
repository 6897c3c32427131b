"""Storages of every kind that people have: which take results, what is said of them, what is not."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.cli.forge_repository_checks import check_results_storage
from tea_runner.core.errors import Refused
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.special_remote_policy import Storage
from tea_runner.host import process
from tea_runner.host.openat import remove_tree
from tea_runner.settings import load_settings
from tea_runner.wiring import Site
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES

CIPHER = "RFRvY0tQNDFNRU53aG83V3NUdCtMR05hT2xyRjZ3UmdGVnFj"


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A dataset with one annexed file, whose content is in no storage yet.

    Its path is short: the sockets of GnuPG's agent are in the state folder, and a socket's path has at
    most 107 bytes.
    """
    root = Path(tempfile.mkdtemp(prefix="tea.", dir="/tmp"))
    made = folder_lab(root)
    made.create(files={**ATTRIBUTES, "raw/a.txt": "a\n"})
    yield made
    made.close()
    for home in root.rglob(".gnupg"):
        process.run(["gpgconf", "--homedir", str(home), "--kill", "all"], env=dict(os.environ))
    remove_tree(root)


@pytest.fixture
def keys() -> Iterator[Path]:
    """Keys of GnuPG; its sockets need a short path."""
    folder = Path(tempfile.mkdtemp(prefix="gpg.", dir="/tmp"))
    env = {**os.environ, "GNUPGHOME": str(folder)}
    words = ("--batch", "--passphrase", "", "--quick-gen-key", "lab@example.org", "rsa3072")
    process.run(["gpg", *words], env=env)
    process.run(
        ["gpg", "--batch", "--quick-add-key", *_fingerprint(env), "rsa3072", "encr"], env=env
    )
    yield folder
    process.run(["gpgconf", "--kill", "all"], env=env)
    shutil.rmtree(folder)


def _fingerprint(env: dict[str, str]) -> list[str]:
    out = process.run(["gpg", "--list-keys", "--with-colons"], env=env).stdout.decode()
    found = next(line.split(":")[9] for line in out.splitlines() if line.startswith("fpr:"))
    return ["--passphrase", "", found]


def add(lab: Lab, name: str, *words: str, kind: str = "directory") -> None:
    """Another special remote of the dataset, in a folder of its name."""
    (lab.root / name).mkdir(exist_ok=True)
    where = [f"directory={lab.root / name}"] if kind == "directory" else []
    lab.do("git", "annex", "initremote", "-q", name, f"type={kind}", *where, *words)


def only(
    lab: Lab, *names: str, kind: str = "directory", options: dict[str, str] | None = None
) -> ForgeDataset:
    """The server's view of the dataset, with these storages in this order."""
    lab.git("push", "-q", "origin", "HEAD:main", "git-annex")
    lab.site()
    lab.tables = "".join(
        f'[[storage]]\nname = "{name}"\ntype = "{kind}"\n[storage.options]\n'
        + "".join(
            f'{option} = "{value}"\n'
            for option, value in (options or {"directory": str(lab.root / name)}).items()
        )
        for name in names
    )
    lab._sites.clear()
    file = lab.root / "hosts/host/tea-runner.toml"
    lab.site()
    text = file.read_text()
    start = text.index('[[storage]]\nname = "store"')
    end = text.index(lab.tables, start)
    file.write_text(text[:start] + text[end:])
    lab._sites["host"] = Site(load_settings(file=file, env={}, flags={}), lab.env)
    made = lab.site().repository(lab.name)
    made.refresh()
    return made


@pytest.mark.long
@pytest.mark.parametrize("encryption", ["shared", "hybrid"])
def test_encrypted_storages_are_read_and_written(
    lab: Lab, keys: Path, tmp_path: Path, encryption: str
) -> None:
    """What the storage has is encrypted; the dataset gives the key, or GnuPG's does."""
    lab.env = lab.env | {"GNUPGHOME": str(keys)}
    words = ["keyid=lab@example.org"] if encryption == "hybrid" else []
    add(lab, "enc", f"encryption={encryption}", *words)
    lab.do("git", "annex", "copy", "-q", "--to", "enc")
    if encryption == "hybrid":
        lab.settings += f'annex.gnupg_home = "{keys}"\n'
    dataset = only(lab, "enc")
    annex = dataset.prepared_annex()
    key = os.readlink(lab.dataset / "raw/a.txt").rsplit("/", 1)[-1]

    assert b"a\n" == annex.get([key])[key].read_bytes()

    file = tmp_path / "new.txt"
    file.write_bytes(b"a result\n" * 20)
    made = annex.key_of(file, "MD5E")
    annex.insert(file, made)
    annex.send([made])
    assert {made: annex.storage.uuid} == dict(annex.storage.locations([made]))
    stored = [path.read_bytes() for path in (lab.root / "enc").rglob("*") if path.is_file()]
    assert not any(b"a result" in data for data in stored)
    dataset.close()


def test_results_go_to_the_first_storage_that_takes_them(lab: Lab) -> None:
    """An export is still read, but is no target; a remote with --sameas is told by its own name."""
    add(lab, "exp", "encryption=none", "exporttree=yes")
    add(lab, "plain", "encryption=none")
    (lab.root / "same").symlink_to(lab.root / "plain")
    add(lab, "same", "encryption=none", "--sameas=plain")
    uuid = lab.git("config", "remote.plain.annex-uuid").strip()

    dataset = only(lab, "exp", "same")

    annex = dataset.prepared_annex()
    assert (("exp", "same"), uuid) == (tuple(annex.storage.names), annex.storage.uuid)
    assert ("storage exp is an export (exporttree=yes) and takes no results",) == (
        dataset.remotes.refusals
    )
    dataset.close()


def test_no_storage_that_takes_results_is_said_at_once(lab: Lab) -> None:
    """It is no fault of the world that passes by itself, so nothing is tried again."""
    add(lab, "exp", "encryption=none", "exporttree=yes")
    dataset = only(lab, "exp")

    with pytest.raises(
        Refused, match=r"storage exp is an export .* and takes no results"
    ) as caught:
        dataset.prepared_annex().send(["MD5E-s7--00000000000000000000000000000000.txt"])
    assert "git annex initremote" in caught.value.hint
    dataset.close()
    (finding,) = check_results_storage(lab.site(), lab.name)
    assert "error" == finding.state
    assert "storage exp is an export (exporttree=yes) and takes no results" in finding.text


def test_a_ria_store_is_read_and_written_by_datalads_own_program(lab: Lab, tmp_path: Path) -> None:
    """The operator lists the store; each dataset's ORA remote has an id and a uuid of its own."""
    store = lab.root / "ria"
    url = f"ria+file://{store}"
    words = ("-s", "ria", "--new-store-ok", "--storage-sibling", "on", url)
    lab.do("datalad", "-l", "error", "create-sibling-ria", *words)
    lab.do("git", "annex", "copy", "-q", "--to", "ria-storage")
    dataset = only(lab, "ria-storage", options={"externaltype": "ora", "url": url}, kind="external")
    annex = dataset.prepared_annex()
    key = os.readlink(lab.dataset / "raw/a.txt").rsplit("/", 1)[-1]

    assert b"a\n" == annex.get([key])[key].read_bytes()

    file = tmp_path / "new.txt"
    file.write_bytes(b"a result\n")
    made = annex.key_of(file, "MD5E")
    annex.insert(file, made)
    annex.send([made])
    dataset.close()
    (stored,) = store.rglob(f"{made}/{made}")
    assert b"a result\n" == stored.read_bytes()


@pytest.mark.long
def test_a_ria_store_is_read_over_http(lab: Lab) -> None:
    """A web server gives the folder; results go there only by another address."""
    store = lab.root / "ria"
    store.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(store))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url, push = f"ria+http://127.0.0.1:{server.server_address[1]}", f"ria+file://{store}"
        words = ("-s", "ria-storage", "--new-store-ok", "--storage-sibling", "only")
        lab.do("datalad", "-l", "error", "create-sibling-ria", *words, "--push-url", push, url)
        lab.do("git", "annex", "copy", "-q", "--to", "ria-storage")
        options = {"externaltype": "ora", "url": url, "push-url": push}
        dataset = only(lab, "ria-storage", options=options, kind="external")
        key = os.readlink(lab.dataset / "raw/a.txt").rsplit("/", 1)[-1]
        try:
            assert b"a\n" == dataset.prepared_annex().get([key])[key].read_bytes()
        finally:
            dataset.close()
            server.shutdown()
            thread.join(10)
    described = {"type": "external", **options}
    assert "" == Storage(name="s").takes_no_results(described)
    del described["push-url"]
    said = Storage(name="s").takes_no_results(described)
    assert "has an address of http without a push-url" in said


def test_a_program_goes_only_where_the_operator_says() -> None:
    """Another store, an id that is a path, or another program than ORA is refused."""
    listed = {"externaltype": "ora", "url": "ria+file:///store"}
    own = {"type": "external", "archive-id": "00a5330b-3a53-4084-99d8-115c790fb44b", **listed}
    storage = Storage(name="s", options=listed)

    assert ("", True) == (storage.difference(own), storage.may_be_named("external"))
    for change in (
        {"url": "ria+ssh://evil.org/store"},
        {"push-url": "ria+ssh://evil.org/store"},
        {"archive-id": "../../etc"},
        {"externaltype": "evil"},
    ):
        assert next(iter(change)) in storage.difference(own | change)
    for options in ({"externaltype": "evil", "url": "x"}, {"externaltype": "ora"}, {}):
        assert not Storage(name="s", options=options).may_be_named("external")


@pytest.mark.parametrize(
    ("config", "env", "reason"),
    [
        ({"type": "directory"}, {}, ""),
        ({"type": "directory", "exporttree": "yes"}, {}, "is an export (exporttree=yes)"),
        ({"type": "directory", "exporttree": "yes", "annexobjects": "yes"}, {}, ""),
        ({"type": "directory", "importtree": "yes"}, {}, "is an import (importtree=yes)"),
        ({"type": "directory", "readonly": "true"}, {}, "is read-only"),
        ({"type": "httpalso"}, {}, "is of type httpalso, from which content is only fetched"),
        ({"type": "S3"}, {}, "has no credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"type": "S3"}, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, ""),
    ],
)
def test_storages_that_take_nothing_are_known_by_their_description(
    config: dict[str, str], env: dict[str, str], reason: str
) -> None:
    """Exports and imports, what is read-only, what is only fetched from, S3 without credentials."""
    said = Storage(name="s", env=env).takes_no_results(config)
    assert (bool(reason), True) == (bool(said), reason in said)


def test_nothing_that_may_be_a_secret_is_shown() -> None:
    """Keys of encryption lead nowhere; of other fields that are not known, only the names are told."""
    config = {"type": "webdav", "encryption": "shared", "cipher": CIPHER, "cipherkeys": CIPHER}
    assert "" == Storage(name="s").difference(config)

    secret = {"davcreds": CIPHER, "password": CIPHER, "url": f"https://ada:{CIPHER}@x.org/d"}
    said = Storage(name="s", options={"password": CIPHER[::-1]}).difference(config | secret)

    assert CIPHER not in said
    assert CIPHER[::-1] not in said
    assert 'davcreds = (not shown), password = (not shown), url = "https://…@x.org/d"' in said


def test_all_that_the_settings_lack_is_told_in_one_round() -> None:
    """As public archives on S3 have it; the line can be copied into the settings."""
    archive = {
        "type": "S3",
        "name": "s3-PUBLIC",
        "encryption": "none",
        "autoenable": "true",
        "bucket": "openneuro.org",
        "host": "s3.amazonaws.com",
        "port": "80",
        "public": "yes",
        "publicurl": "https://s3.amazonaws.com/openneuro.org",
        "fileprefix": "ds000001/",
        "exporttree": "yes",
        "versioning": "yes",
        "datacenter": "US",
        "storageclass": "STANDARD",
        "signature": "anonymous",
        "partsize": "1GiB",
        "timestamp": "1s",
    }

    said = Storage(name="s3-PUBLIC", options={"bucket": "mine"}).difference(archive)

    assert said == (
        'storage s3-PUBLIC has bucket = "openneuro.org", fileprefix = "ds000001/", '
        'host = "s3.amazonaws.com", port = "80", public = "yes", '
        'publicurl = "https://s3.amazonaws.com/openneuro.org" in the dataset, and the settings say '
        'bucket = "mine"; if that is right, write it into options of this [[storage]]: '
        'options = { bucket = "openneuro.org", fileprefix = "ds000001/", host = "s3.amazonaws.com", '
        'port = "80", public = "yes", publicurl = "https://s3.amazonaws.com/openneuro.org" }'
    )
