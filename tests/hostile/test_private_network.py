"""A forge behind TLS with a certificate authority of its own, and behind a proxy: git gets there, too."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tea_runner.cli.forge_repository_checks import check_repositories
from tea_runner.core.errors import SettingsError
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.host import process
from tea_runner.settings import load_settings
from tea_runner.wiring import Site

Open = Callable[[socket.socket], tuple[socket.socket, int]]


def _copy(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on until one of the two ends."""
    with contextlib.suppress(OSError), one, other, selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, other)
        ready.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in ready.select(20):
                data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                if not data:
                    return
                key.data.sendall(data)
                if isinstance(key.fileobj, ssl.SSLSocket):
                    while key.fileobj.pending():
                        key.data.sendall(key.fileobj.recv(1 << 16))


@contextlib.contextmanager
def relay(accept: Open) -> Iterator[int]:
    """A server on a port; *accept* makes of a client the connection to copy, and the port to reach."""
    server = socket.create_server(("127.0.0.1", 0))

    def handle(client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            inner, port = accept(client)
            _copy(inner, socket.create_connection(("127.0.0.1", port)))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                threading.Thread(target=handle, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def _openssl(folder: Path, *words: str) -> None:
    process.run(["openssl", *words], env={"PATH": os.environ["PATH"]}, cwd=folder)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority, and a certificate of it for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    new = ["req", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    authority = ["-subj", "/CN=Lab CA", "-addext", "basicConstraints=critical,CA:TRUE"]
    _openssl(folder, *new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", *authority)
    _openssl(folder, *new[:-2], "-keyout", "s.key", "-out", "s.csr", "-subj", "/CN=localhost")
    (folder / "ext").write_text("subjectAltName=DNS:localhost\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext"]
    _openssl(folder, "x509", "-req", "-in", "s.csr", *signed, "-days", "2", "-out", "s.pem")
    return folder


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[EmbeddedForge]:
    """A forge with one repository that has a commit."""
    with EmbeddedForge(tmp_path / "forge", path=os.environ["PATH"]) as forge:
        forge.add_user("bot", "secret", admin=True)
        forge.create_repository("bot", "data")
        work = tmp_path / "work"
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        process.run([*git, "init", "-q", "-b", "main", str(work)], env=env)
        process.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], env=env, cwd=work)
        url = forge.push_url("bot/data", "bot", "secret")
        process.run([*git, "push", "-q", url, "main"], env=env, cwd=work)
        yield forge


@pytest.fixture
def behind_tls(forge: EmbeddedForge, certificates: Path) -> Iterator[str]:
    """Its address with https."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "s.pem", certificates / "s.key")
    port = int(forge.url.rpartition(":")[2])
    with relay(lambda client: (context.wrap_socket(client, server_side=True), port)) as outer:
        yield f"https://localhost:{outer}"


def make_site(tmp_path: Path, forge: EmbeddedForge, url: str, **variables: str) -> Site:
    """A server on this forge."""
    token = tmp_path / "token"
    token.write_text(forge.add_token("bot"))
    flags: dict[str, object] = {
        "state": str(tmp_path / "state"),
        "forge.url": url,
        "forge.user": "bot",
        "forge.token_file": str(token),
        "repositories": "bot/data",
        "annex.allowed_addresses": "127.0.0.1",
    }
    ca_file = variables.pop("ca_file", "")
    flags |= {"forge.ca_file": ca_file} if ca_file else {}
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **variables}
    return Site(load_settings(file=None, env={}, flags=flags), env)


@pytest.mark.long
@pytest.mark.parametrize("by", ["forge.ca_file", "SSL_CERT_FILE", "GIT_SSL_CAINFO"])
def test_git_trusts_the_authority_of_the_forge(
    tmp_path: Path, forge: EmbeddedForge, behind_tls: str, certificates: Path, by: str
) -> None:
    """From the settings, or from a variable; as the client of the API does."""
    name = "ca_file" if by == "forge.ca_file" else by
    site = make_site(tmp_path, forge, behind_tls, **{name: str(certificates / "ca.pem")})

    assert ["bot/data"] == site.forge.repositories(["bot/*"])
    assert ["refs/heads/main"] == list(site.repository("bot/data").mirror.ls_remote("refs/heads/*"))


def test_git_annex_trusts_it_beside_those_of_the_system(
    tmp_path: Path, forge: EmbeddedForge, behind_tls: str, certificates: Path
) -> None:
    """Its storages may have certificates of either."""
    site = make_site(tmp_path, forge, behind_tls, ca_file=str(certificates / "ca.pem"))
    env = site.git.with_()
    del env["GIT_LITERAL_PATHSPECS"]
    process.run(["git", "init", "-q", str(tmp_path / "annex")], env=env)
    annex = ["git", "-c", "safe.bareRepository=all", "annex"]
    process.run([*annex, "init", "-q"], env=env, cwd=tmp_path / "annex")
    url = f"{behind_tls}/api/v1/version"
    process.run([*annex, "addurl", "-q", "--file", "v", url], env=env, cwd=tmp_path / "annex")

    bundle = Path(env["SSL_CERT_FILE"]).read_text()
    assert 1 < bundle.count("BEGIN CERTIFICATE")


@pytest.mark.long
def test_check_tries_with_git(
    tmp_path: Path, forge: EmbeddedForge, behind_tls: str, certificates: Path
) -> None:
    """The API may work where git does not."""
    good = make_site(tmp_path, forge, behind_tls, ca_file=str(certificates / "ca.pem"))
    found = {each.name: each for each in check_repositories(good)}
    assert "ok" == found["git bot/data"].state

    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k", "-out", "wrong.pem"]
    _openssl(tmp_path, *new, "-subj", "/CN=Another CA")
    bad = make_site(tmp_path / "state", forge, behind_tls, ca_file=str(tmp_path / "wrong.pem"))
    object.__setattr__(bad, "forge", good.forge)
    found = {each.name: each for each in check_repositories(bad)}
    assert "error" == found["git bot/data"].state
    assert "forge.ca_file" in found["git bot/data"].text


@pytest.mark.long
@pytest.mark.parametrize("listed", [False, True])
def test_proxies_reach_git_and_the_client(
    tmp_path: Path, forge: EmbeddedForge, behind_tls: str, certificates: Path, listed: bool
) -> None:
    """Those of the environment, with their exceptions; a password of one is redacted."""
    asked = []

    def accept(client: socket.socket) -> tuple[socket.socket, int]:
        request = b""
        while b"\r\n\r\n" not in request:
            request += client.recv(4096)
        asked.append(request.split(b" ")[1].decode())
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return client, int(asked[-1].rpartition(":")[2])

    with relay(accept) as port:
        site = make_site(
            tmp_path,
            forge,
            behind_tls,
            ca_file=str(certificates / "ca.pem"),
            https_proxy=f"http://user:proxy-password@127.0.0.1:{port}",
            no_proxy="localhost" if listed else "other.example",
        )
        site.forge.repositories(["bot/*"])
        by_client = len(asked)
        site.repository("bot/data").mirror.ls_remote("refs/heads/*")

    assert (by_client > 0, len(asked) > by_client) == (not listed, not listed)
    assert "***" in site.redactor.redact_text("x proxy-password y")


def test_an_authority_that_cannot_be_read_is_a_mistake_in_the_settings(
    tmp_path: Path, forge: EmbeddedForge
) -> None:
    """It names the setting."""
    site = make_site(tmp_path, forge, "https://localhost:1", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match=r"^forge\.ca_file = "):
        _ = site.git
