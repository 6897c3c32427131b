"""The services of deploy/compose: started by the page's commands with a real docker, used, scaled, killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tea_runner.host import process
from tests.docs.page import Reader, blocks
from tests.image.docker_daemon import DockerDaemon
from tests.image.engine import ROOT, TAG, Engine
from tests.image.test_lab_image import LAB, image

__all__ = ["image"]
pytestmark = pytest.mark.engine
PAGE = "docs/how-to/run-with-compose.md"
EVERYTHING = "localhost/tea-runner-programs-of-compose:test"
DOMAIN = "lab.test"
HOSTS = [f"{name}.{DOMAIN}" for name in ("git", "tea", "s3")]


@pytest.fixture(scope="module")
def programs(engine: Engine, image: str) -> str:
    """One image in place of those of Valkey, Gitea, MinIO and Caddy: programs under the same names."""
    if engine.name != "podman":
        pytest.skip("needs podman, which makes the images")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(
            f"FROM {LAB}\nUSER root\n"
            "RUN apt-get update && apt-get install -y --no-install-recommends caddy curl wget \\\n"
            "  && ln -s /usr/bin/redis-server /usr/local/bin/valkey-server \\\n"
            "  && ln -s /usr/bin/redis-cli /usr/local/bin/valkey-cli \\\n"
            "  && mkdir -p /var/lib/gitea && chown tea /var/lib/gitea && mkdir /data && chown tea /data\n"
            "USER tea\n"
        )
        engine.build(EVERYTHING, file=f"{folder}/Dockerfile", folder=folder)
    return EVERYTHING


@pytest.fixture
def docker(engine: Engine, programs: str) -> Iterator[DockerDaemon]:
    """A docker that has the images."""
    with tempfile.TemporaryDirectory(prefix="tea-docker-") as folder:
        daemon = DockerDaemon(socket=Path(folder) / "d.sock")
        try:
            daemon.start()
            daemon.load(engine.env, TAG, programs)
            daemon.text("tag", TAG, "tea-runner")
            yield daemon
        finally:
            daemon.stop()


@pytest.fixture
def folder(docker: DockerDaemon, tmp_path: Path) -> Iterator[Path]:
    """The folder of the services, with certificates of its own; all containers go with the test."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    made = tmp_path / "deploy" / "compose"
    _make_certificates(made / "certificates")
    yield made
    docker.text("compose", "down", "-t", "0", "-v", cwd=made)


def _make_certificates(folder: Path) -> None:
    folder.mkdir()
    names = ",".join(f"DNS:{name}" for name in HOSTS)
    env = {"PATH": os.environ["PATH"]}

    def openssl(*words: str) -> None:
        process.run(["openssl", *words], env=env, cwd=folder)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test")
    openssl("req", *key[:-2], "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=lab.test")
    (folder / "names").write_text(f"subjectAltName={names}\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30")
    openssl("x509", "-req", "-in", "tls.csr", *signing, "-extfile", "names", "-out", "tls.pem")
    (folder / "tls.key").chmod(0o644)


def _settle(text: str, values: dict[str, str]) -> str:
    """The file of variables with other values."""
    for name, value in values.items():
        text, number = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert 1 == number, name
    return text


def _shell(page: str) -> dict[str, str]:
    return {block.name[1]: block.text for block in blocks(page) if block.language == "sh"}


def test_a_lab_with_compose(docker: DockerDaemon, folder: Path, tmp_path: Path) -> None:
    """Started by the page's commands, pushed to, killed under load, scaled, and started anew: no loss."""
    shell = _shell(PAGE)
    operator = Reader(tmp_path / "operator")
    operator.env |= docker.env
    operator.say(f"cd {folder}; ./make-env {DOMAIN} >.env; chmod 600 .env")
    file = folder / ".env"
    given = {
        "TLS": "tls /certificates/tls.pem /certificates/tls.key",
        "CA_FILE": "/certificates/ca.pem",
        **{f"{name}_IMAGE": EVERYTHING for name in ("VALKEY", "GITEA", "MINIO", "CADDY")},
    }
    file.write_text(_settle(file.read_text(), given))
    values = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    said = operator.say(shell["docker compose up -d --wait"])
    assert "healthy" in said

    person = _person(docker, tmp_path / "person", folder, values)
    person.say(
        "datalad -l error create -c text2git data; cd data; mkdir raw count; "
        "head -c 100000 /dev/urandom >raw/a.dat; "
        """echo '{"pipeline": {"name": "count"}, "input": {"pfs": {"name": "in", "repo": "raw", """
        """"glob": "/*"}}, "transform": {"cmd": ["sh", "-c", "sleep 1; for f in $PFS/in/*; do """
        """wc -c <$f >$PFS/out/$(basename $f).txt; done"]}}' >count/spec.json; """
        "datalad -l error save -m first; "
        f"git annex initremote store type=S3 host=s3.{DOMAIN} port=443 protocol=https bucket=datasets "
        f"requeststyle=path encryption=none autoenable=true uuid={values['STORAGE_UUID']}; "
        f"git remote add origin https://git.{DOMAIN}/lab/data.git; "
        "git config remote.origin.annex-ignore true; "
        "git config remote.origin.datalad-publish-depends store; "
        "git push -q origin HEAD; datalad -l error push --to origin"
    )
    _wait_for(person, "count/a.dat.txt")
    assert "100000" in person.say("datalad -l error get .; cat count/a.dat.txt")

    operator.say(shell["docker compose up -d --wait --scale worker=3"])
    names = json.loads(
        f"[{','.join(operator.say('docker compose ps --format json worker').splitlines())}]"
    )
    assert 3 == len(names)
    person.say(
        "for n in 1 2 3 4 5 6 7 8; do head -c 1000$n /dev/urandom >raw/b$n.dat; done; "
        "datalad -l error save -m more; datalad -l error push --to origin"
    )
    operator.say("docker compose kill worker planner valkey receiver")
    # The newer release: the same program under another id.
    operator.say(
        "printf 'FROM tea-runner\\nLABEL release=newer\\n' | docker build -q -t tea-runner -"
    )
    operator.say(shell["docker compose up -d --wait --scale worker=3"])
    _wait_for(person, "count/b8.dat.txt")
    assert "10008" in person.say("datalad -l error get .; cat count/b8.dat.txt")
    again = operator.say("docker compose run --rm -T setup")
    assert "webhook of lab/*: there already" in again
    access = ("-u", f"{values['ADMIN']}:{values['ADMIN_PASSWORD']}")
    hooks = person.say(f"curl -fsS {' '.join(access)} https://git.{DOMAIN}/api/v1/orgs/lab/hooks")
    assert 1 == len(json.loads(hooks))


def _person(docker: DockerDaemon, home: Path, folder: Path, values: dict[str, str]) -> Reader:
    """Somebody on the network of the published ports, who trusts the lab's certificates."""
    person = Reader(home)
    authority = str(folder / "certificates" / "ca.pem")
    person.env |= {
        "AWS_ACCESS_KEY_ID": values["S3_KEY"],
        "AWS_SECRET_ACCESS_KEY": values["S3_SECRET"],
        "SSL_CERT_FILE": authority,
        "GIT_SSL_CAINFO": authority,
        "SYSTEM_CERTIFICATE_PATH": authority,
    }
    person.before = docker.inside
    person.say(
        "git config --global annex.security.allowed-ip-addresses 127.0.0.1; "
        "git config --global credential.helper store; "
        f"echo https://{values['ADMIN']}:{values['ADMIN_PASSWORD']}@git.{DOMAIN} >~/.git-credentials"
    )
    return person


def _wait_for(person: Reader, path: str) -> None:
    wanted = f"until datalad -l error update --how merge && test -e {path}; do sleep 1; done"
    person.say(f"timeout 300 sh -c '{wanted}'")
