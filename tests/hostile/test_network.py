"""Commands with a network: the host's loopback, abstract sockets and private addresses stay closed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tea_runner.core.errors import Refused
from tea_runner.sandbox.apptainer import Apptainer
from tea_runner.sandbox.bubblewrap import BubblewrapSandbox
from tea_runner.sandbox.container_engine import ContainerEngine
from tea_runner.sandbox.execution_environment import Execution
from tea_runner.sandbox.network_filter import GATEWAY, NAMESERVER, NetworkAccess

_REACH = Path(__file__).with_name("reach.py")
_CANARY = b"canary of the host"


def own_address() -> str:
    """The address of this machine towards others; loopback where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


class Servers:
    """Servers of the host that say a canary to everybody who reaches them."""

    def __init__(self) -> None:
        self.abstract = f"tea-{uuid.uuid4().hex}"
        self._tcp = socket.create_server(("0.0.0.0", 0))
        self.port = int(self._tcp.getsockname()[1])
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("0.0.0.0", self.port))
        self._unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._unix.bind("\0" + self.abstract)
        self._unix.listen()
        #: Packets that came, whether or not an answer got back.
        self.packets = 0
        for serve in (self._accept_tcp, self._accept_unix, self._answer):
            threading.Thread(target=serve, daemon=True).start()

    def _accept_tcp(self) -> None:
        self._accept(self._tcp)

    def _accept_unix(self) -> None:
        self._accept(self._unix)

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
                client.sendall(_CANARY)
                client.close()
            except OSError:
                if server.fileno() < 0:
                    return

    def _answer(self) -> None:
        while True:
            try:
                _, sender = self._udp.recvfrom(100)
            except OSError:
                return
            self.packets += 1
            self._udp.sendto(_CANARY, sender)

    def close(self) -> None:
        """Close all."""
        for each in (self._tcp, self._unix, self._udp):
            each.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Servers of the host, all there and all answering."""
    made = Servers()
    yield made
    made.close()


def execution(argv: tuple[str, ...], **changes: Any) -> Execution:
    """A command with a network."""
    values: dict[str, Any] = {
        "argv": argv,
        "env": {},
        "view": None,
        "out": None,
        "log": lambda _: None,
        "timeout": 120,
        "network": True,
        **changes,
    }
    return Execution(**values)


def reach(sandbox: BubblewrapSandbox, tmp_path: Path, tries: list[list[object]]) -> dict[str, str]:
    """What connections from inside came to."""
    printed: list[bytes] = []
    code = tmp_path / "code"
    code.mkdir(exist_ok=True)
    shutil.copy(_REACH, code)
    (code / "reach.py").chmod(0o644)
    argv = ("/usr/bin/python3", "reach.py", json.dumps(tries))
    outcome = sandbox.run(execution(argv, code=code, log=printed.append))
    text = b"".join(printed).decode()
    assert 0 == outcome.code, text
    answers: dict[str, str] = json.loads(text.splitlines()[-1])
    return answers


def sandbox(**access: Any) -> BubblewrapSandbox:
    """A sandbox with this access, where this machine can make one."""
    made = BubblewrapSandbox(network=NetworkAccess(**access))
    missing = made.check() or made.network_problem()
    if missing:
        pytest.skip(f"engine absent: {missing}")
    return made


def test_nothing_of_the_host_is_reached(servers: Servers, tmp_path: Path) -> None:
    """By no address of the host, no alias of it, and no choice of route or interface."""
    addresses = {
        "127.0.0.1",
        "127.0.0.53",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        own_address(),
        f"::ffff:{own_address()}",
        GATEWAY,
        NAMESERVER,
        "10.0.2.2",
        "10.0.2.3",
    }
    tries: list[list[object]] = [["abstract", "abstract", servers.abstract, 0]]
    for address in sorted(addresses):
        for kind in ("tcp", "bound", "unrouted", *(() if ":" in address else ("udp", "udp-bound"))):
            tries.append([f"{kind} {address}", kind, address, servers.port])
    tries += [
        ["broadcast", "udp", "255.255.255.255", servers.port],
        ["broadcast-bound", "udp-bound", "255.255.255.255", servers.port],
    ]
    before = servers.packets
    answers = reach(sandbox(), tmp_path, tries)
    assert {} == {name: said for name, said in answers.items() if "closed" not in said}
    assert before == servers.packets


def test_private_addresses_are_closed_unless_allowed(servers: Servers, tmp_path: Path) -> None:
    """An address of the operator's list is reached, also one of this host, at its port only."""
    own = own_address()
    if own == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    tries: list[list[object]] = [
        ["own", "tcp", own, servers.port],
        ["udp", "udp", own, servers.port],
    ]
    closed = reach(sandbox(), tmp_path, tries)
    assert ["closed", "closed"] == [said[:6] for said in closed.values()]
    for allowed in (f"{own}/32", own, f"{own}:{servers.port}"):
        answers = reach(sandbox(allowed=(allowed,)), tmp_path, tries)
        assert {"own": _CANARY.decode(), "udp": _CANARY.decode()} == answers, allowed
    answers = reach(sandbox(allowed=(f"{own}:{servers.port + 1}",)), tmp_path, tries)
    assert ["closed", "closed"] == [said[:6] for said in answers.values()]


def test_the_host_network_is_shared_only_where_the_operator_says_so(
    servers: Servers, tmp_path: Path
) -> None:
    """``sandbox.share_host_network`` is a decision of its own."""
    tries: list[list[object]] = [
        ["tcp", "tcp", "127.0.0.1", servers.port],
        ["abstract", "abstract", servers.abstract, 0],
    ]
    answers = reach(sandbox(shared=True), tmp_path, tries)
    assert {"tcp": _CANARY.decode(), "abstract": _CANARY.decode()} == answers


def test_without_the_programs_a_network_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The refusal names what to install; a command without a network still runs."""
    empty = tmp_path / "bin"
    empty.mkdir()
    for program in ("bwrap", "setpriv", "env", "true", "nsenter"):
        found = shutil.which(program)
        assert found
        os.symlink(found, empty / program)
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setattr("tea_runner.sandbox.attach_network.SYSTEM_PATH", str(empty))
    made = BubblewrapSandbox()
    with pytest.raises(Refused, match=r"slirp4netns.*nftables"):
        reach(made, tmp_path, [])
    assert "slirp4netns" in (made.network_problem() or "")
    assert made.check() is None


@pytest.mark.parametrize(("name", "usual"), [("docker", "bridge"), ("podman", "private")])
def test_a_container_has_no_network_of_the_engines_choice(
    name: str, usual: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine whose settings say ``host`` gives no command the host's network."""
    asked: list[str] = []

    def record(_: ContainerEngine, *argv: str, **__: object) -> bytes:
        asked.extend(each for each in argv if each.startswith("--network"))
        raise Refused("far enough")

    monkeypatch.setattr(ContainerEngine, "_client", record)
    for access, network in (
        (NetworkAccess(), True),
        (NetworkAccess(engine_network="mine"), True),
        (NetworkAccess(shared=True), True),
        (NetworkAccess(shared=True), False),
    ):
        engine = ContainerEngine(name, variables={}, network=access)
        with pytest.raises(Refused, match="far enough"):
            engine.run(execution(("true",), image="sha256:" + "0" * 64, network=network))
    expected = [usual, "mine", "host", "none"]
    assert [f"--network={each}" for each in expected] == asked


def test_apptainer_refuses_a_network(tmp_path: Path) -> None:
    """It would be that of the host; the refusal names the other environments."""
    with pytest.raises(Refused, match="docker, podman"):
        Apptainer(variables={}).run(execution(("true",), image=str(tmp_path)))


def test_no_process_of_the_network_stays(tmp_path: Path) -> None:
    """The process that carries the network ends with its command."""
    reach(sandbox(), tmp_path, [])
    left = [
        entry
        for entry in os.listdir("/proc")
        if entry.isdigit() and b"slirp4netns" in _cmdline(entry) and _parent(entry) == os.getpid()
    ]
    assert [] == left


def _cmdline(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
