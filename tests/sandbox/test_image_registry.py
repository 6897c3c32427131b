"""Digests of tags, asked of a real registry and of one that gives tokens."""

from __future__ import annotations

import base64
import json
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tea_runner.core.errors import OutsideError
from tea_runner.core.spec.image_reference import ImageReference, parse_image
from tea_runner.sandbox.image_policy import ImageNotFound
from tea_runner.sandbox.image_registry import ImageRegistries

from .registry import PASSWORD, USER, put_image, registry

_DIGEST = "sha256:" + "d" * 64


def image(text: str) -> ImageReference:
    """An image by its name."""
    found = parse_image(text)
    assert found is not None
    return found


def client(host: str, home: Path | None = None) -> ImageRegistries:
    """A client of a registry without encryption."""
    return ImageRegistries({"HOME": str(home or "/nonexistent")}, plain=frozenset({host}))


@pytest.mark.engine
def test_a_tag_is_asked_of_a_real_registry(tmp_path: Path) -> None:
    """It has the digest of the last push; a tag that is not there is named."""
    with registry(tmp_path) as host:
        one = put_image(host, "lab/tool", "1", "one")
        asked = client(host)
        assert one == asked.digest(image(f"{host}/lab/tool:1"))
        two = put_image(host, "lab/tool", "1", "two")
        assert one != two == asked.digest(image(f"{host}/lab/tool:1"))
        with pytest.raises(ImageNotFound, match="has no image lab/tool:2; "):
            asked.digest(image(f"{host}/lab/tool:2"))


@pytest.mark.engine
@pytest.mark.parametrize("place", ["docker", "podman", "helper"])
def test_the_login_of_docker_or_podman_is_used(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As their login commands keep it; without it the registry does not show the image."""
    with registry(tmp_path, login=True) as host:
        digest = put_image(host, "tool", "1", "x")
        with pytest.raises(ImageNotFound, match="or does not show it"):
            client(host, tmp_path / "empty").digest(image(f"{host}/tool:1"))
        row = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
        document: dict[str, object] = {"auths": {host: row}}
        if place == "helper":
            document = {"credHelpers": {host: "test"}}
            script = tmp_path / "bin" / "docker-credential-test"
            script.parent.mkdir()
            answer = json.dumps({"Username": USER, "Secret": PASSWORD})
            script.write_text(f"#!/bin/sh\n[ $(cat) = {host} ] && echo '{answer}'\n")
            script.chmod(script.stat().st_mode | stat.S_IXUSR)
            monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
        name = ".config/containers/auth.json" if place == "podman" else ".docker/config.json"
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(json.dumps(document))
        variables = {"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
        asked = ImageRegistries(variables, plain=frozenset({host}))
        assert digest == asked.digest(image(f"{host}/tool:1"))


class _TokenRegistry(BaseHTTPRequestHandler):
    """A registry with Docker's token authentication, and one that misbehaves, by the image's name."""

    def do_HEAD(self) -> None:
        """The manifest: a digest only with a token."""
        token = self.headers.get("Authorization") == "Bearer t0ken"
        realm = f"http://{self.headers['Host']}/token"
        if "elsewhere" in self.path:
            self._answer(302, {"Location": "http://127.0.0.1:1/"})
        elif "odd" in self.path:
            self._answer(200, {"Docker-Content-Digest": "sha256:x\n"})
        elif "foreign" in self.path:
            self._answer(401, {"WWW-Authenticate": 'Bearer realm="file:///etc/passwd"'})
        elif token:
            self._answer(200, {"Docker-Content-Digest": _DIGEST})
        else:
            value = f'Bearer realm="{realm}",service="test",scope="repository:x:pull"'
            self._answer(401, {"WWW-Authenticate": value})

    def do_GET(self) -> None:
        """The token, for the right scope and login only."""
        if not self.path.startswith("/token"):
            self._answer(200, {}, b"x" * (9 << 20) if "odd" in self.path else b"{}")
            return
        asked = parse_qs(urlsplit(self.path).query)
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        allowed = asked == {"service": ["test"], "scope": ["repository:a/b:pull"]}
        if allowed and self.headers.get("Authorization") == f"Basic {login}":
            self._answer(200, {}, b'{"token": "t0ken"}')
        else:
            self._answer(403, {})

    def _answer(self, code: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value.strip())
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def token_registry() -> Iterator[str]:
    """Its host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _TokenRegistry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_token_is_fetched_where_the_registry_asks_for_one(tmp_path: Path) -> None:
    """With the login, for reading this image only."""
    with token_registry() as host:
        row = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
        (tmp_path / ".docker").mkdir()
        (tmp_path / ".docker/config.json").write_text(
            json.dumps({"auths": {f"https://{host}": row}})
        )
        assert _DIGEST == client(host, tmp_path).digest(image(f"{host}/a/b:1"))
        with pytest.raises(ImageNotFound):
            client(host).digest(image(f"{host}/a/b:1"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("elsewhere", "answered 302"),
        ("odd", "the answer of a registry is too large"),
        ("foreign", "does not show it"),
    ],
)
def test_a_registry_cannot_lead_elsewhere(name: str, sentence: str) -> None:
    """No redirect is followed, no odd digest taken, and no file read."""
    with token_registry() as host, pytest.raises((OutsideError, ImageNotFound), match=sentence):
        client(host).digest(image(f"{host}/{name}:1"))


def test_a_registry_that_does_not_answer_is_an_outage() -> None:
    """Nothing is said of why: it would tell what listens in the planner's network."""
    with pytest.raises(OutsideError, match=r"^registry 127\.0\.0\.1:1 does not answer$"):
        client("127.0.0.1:1").digest(image("127.0.0.1:1/a:1"))
    with pytest.raises(OutsideError, match=r"does not answer$"), token_registry() as host:
        ImageRegistries({}).digest(image(f"{host}/a:1"))  # not listed as one without encryption
