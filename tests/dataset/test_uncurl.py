"""Content that DataLad's ``uncurl`` gets: by the operator's address, whatever the dataset records."""

from __future__ import annotations

import base64
import http.server
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.core.errors import Refused
from tea_runner.dataset.forge_dataset import ForgeDataset
from tea_runner.dataset.special_remote_policy import Storage
from tea_runner.host.openat import remove_tree
from tea_runner.host.tool_search_path import tool_path
from tests.e2e.conftest import folder_lab
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES

#: Needs DataLad's extension datalad-next (the extra ``uncurl``).
pytestmark = pytest.mark.long
MATCH = "https?://[^/]+/(?P<name>.*)"
_AUTHORIZATION = "Basic " + base64.b64encode(b"ada:a word").decode()


class _Handler(http.server.BaseHTTPRequestHandler):
    """Two files: one for everybody, and one for a user."""

    def do_GET(self) -> None:
        """Answer with the content."""
        secret = self.path == "/secret.dat"
        if secret and self.headers.get("Authorization") != _AUTHORIZATION:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="lab"')
            self.end_headers()
            return
        data = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """Address of a web server."""
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_address[1]}"
    made.shutdown()
    made.server_close()
    thread.join(10)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A dataset; skips the test where datalad-next is not installed."""
    if shutil.which("git-annex-remote-uncurl", path=tool_path(os.environ)) is None:
        pytest.skip("program absent: git-annex-remote-uncurl (pip install datalad-next)")
    root = Path(tempfile.mkdtemp(prefix="tea.", dir="/tmp"))
    made = folder_lab(root)
    made.create(files={**ATTRIBUTES, "raw/a.txt": "a\n"})
    yield made
    made.close()
    remove_tree(root)


def record(lab: Lab, server: str, *names: str) -> list[str]:
    """Files whose content is on a server that is no more; their keys."""
    words = ("type=external", "externaltype=uncurl", "encryption=none", f"match={MATCH}")
    lab.do("git", "annex", "initremote", "-q", "web-data", *words, f"url={server}/{{name}}")
    keys = []
    for name in names:
        path = lab.dataset / "raw" / name
        path.write_text(f"/{name}")
        lab.do("git", "annex", "add", "-q", "--force-large", str(path))
        keys.append(os.readlink(path).rsplit("/", 1)[-1])
        lab.do("git", "annex", "registerurl", keys[-1], f"http://gone.example.org/{name}")
        lab.do("git", "annex", "drop", "-q", "--force", str(path))
    lab.save()
    lab.git("push", "-q", "origin", "HEAD:main", "git-annex")
    return keys


def served(lab: Lab, server: str, *, options: str = "", env: str = "") -> ForgeDataset:
    """The server's view of the dataset, with this storage."""
    lines = lab.git("show", "git-annex:remote.log").splitlines()
    (line,) = (line for line in lines if " name=web-data " in line)
    url = options or f"url = '{server}/{{name}}'\n"
    lab.tables = (
        f'[[storage]]\nname = "web-data"\nuuid = "{line.split()[0]}"\ntype = "external"\n'
        f"[storage.options]\nexternaltype = 'uncurl'\nmatch = '{MATCH}'\n{url}{env}"
    )
    lab._sites.clear()
    dataset = lab.site().repository(lab.name)
    dataset.refresh()
    return dataset


def test_content_comes_from_the_operators_address(lab: Lab, server: str) -> None:
    """The address that the dataset records is gone."""
    (key,) = record(lab, server, "open.dat")
    dataset = served(lab, server)

    assert b"/open.dat" == dataset.prepared_annex().get([key])[key].read_bytes()
    dataset.close()


def test_content_behind_a_password_comes_with_a_credential(lab: Lab, server: str) -> None:
    """DataLad's credential is in the variables of the storage, from files of the operator."""
    (key,) = record(lab, server, "secret.dat")
    values = {
        "DATALAD_CREDENTIAL_LAB_TYPE": "user_password",
        "DATALAD_CREDENTIAL_LAB_REALM": f"{server}/lab",
        "DATALAD_CREDENTIAL_LAB_USER": "ada",
        "DATALAD_CREDENTIAL_LAB_SECRET": "a word",
    }
    table = "[storage.env]\n"
    for name, value in values.items():
        (lab.root / name).write_text(value)
        table += f'{name} = "{lab.root / name}"\n'
    dataset = served(lab, server, env=table)

    assert b"/secret.dat" == dataset.prepared_annex().get([key])[key].read_bytes()
    dataset.close()


@pytest.mark.parametrize("url", ["", "{site}/x", "https://{host}/x", "https://x.org", "file:///x"])
def test_an_address_of_the_datasets_choice_is_refused(url: str) -> None:
    """Without a fixed host, whoever may push could have workers ask any address."""
    options = {"externaltype": "uncurl", **({"url": url} if url else {})}
    storage = Storage(name="x", uuid="u", type="external", options=options)

    said = storage.difference({"type": "external", **options})
    assert "uncurl" in said
    assert "https://HOST/" in said


def test_it_takes_no_results() -> None:
    """Content is only fetched with it, as with other programs of DataLad for the web."""
    for program in ("uncurl", "datalad", "datalad-archives"):
        said = Storage(name="x").takes_no_results({"type": "external", "externaltype": program})
        assert f"is of type {program}, from which content is only fetched" in said


def test_other_options_of_the_dataset_are_refused(lab: Lab, server: str) -> None:
    """A template that the dataset changes leads nowhere."""
    (key,) = record(lab, server, "open.dat")
    lab.do("git", "annex", "enableremote", "-q", "web-data", "url=http://127.0.0.1:9/{name}")
    lab.git("push", "-q", "origin", "git-annex")
    dataset = served(lab, server)

    with pytest.raises(Refused, match="the settings say"):
        dataset.prepared_annex().get([key])
    dataset.close()
