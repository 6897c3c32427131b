"""``tea-runner webhook`` against a forge: made, listed, tried, taken away."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from tea_runner.cli.main import cli
from tea_runner.core.deliveries.delivery_events import Ignored, PushEvent
from tea_runner.core.deliveries.delivery_signature import is_signed
from tea_runner.core.deliveries.gitea_delivery import parse_gitea_delivery
from tea_runner.core.errors import ForgeError, NotFound, OutsideError, UsageError
from tea_runner.forge.embedded import EmbeddedForge
from tea_runner.forge.gitea import GiteaForge
from tea_runner.forge.registered_webhook_store import WebhookStore
from tests import gitea as real
from tests.clone import Clone
from tests.receiver import Recorder
from tests.web import receiver


@dataclass
class Place:
    """Somebody at a terminal, with a forge and a repository."""

    run: Callable[..., Result]
    hooks: WebhookStore
    repository: str
    clone: Clone


def _place(tmp_path: Path, url: str, token: str, repository: str, push_url: str) -> Place:
    (tmp_path / "token").write_text(token)
    env = {
        "TEA_RUNNER_STATE": str(tmp_path / "state"),
        "TEA_RUNNER_FORGE__URL": url,
        "TEA_RUNNER_FORGE__TOKEN_FILE": str(tmp_path / "token"),
    }

    def run(*words: str) -> Result:
        result = CliRunner(env=env).invoke(cli, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    hooks = WebhookStore(tmp_path / "state" / "hooks")
    return Place(run, hooks, repository, Clone(tmp_path / "clone", push_url))


@pytest.fixture(params=["embedded", pytest.param("gitea", marks=pytest.mark.gitea)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each kind of forge in turn."""
    if request.param == "gitea":
        forge: real.Gitea = request.getfixturevalue("gitea")
        repository = forge.repository(f"cli{abs(hash(request.node.nodeid))}")
        push_url = forge.push_url(repository)
        yield _place(tmp_path, forge.url, forge.bot_token, repository, push_url)
        return
    with EmbeddedForge(tmp_path / "forge", path=os.environ["PATH"]) as embedded:
        embedded.add_user("ada", "correct")
        embedded.add_user("bot", "horse", admin=True)
        embedded.create_repository("ada", "edges")
        push_url = embedded.push_url("ada/edges", "ada", "correct")
        yield _place(tmp_path, embedded.url, embedded.add_token("bot"), "ada/edges", push_url)


def test_an_address_that_the_receiver_refuses_is_warned_of(place: Place) -> None:
    """The forge would get an error for each delivery, and nothing would start."""
    refused = place.run("webhook", "add", place.repository, "--url", "http://tea.lab.example:1706")
    accepted = place.run("webhook", "add", place.repository, "--url", "http://localhost:1706")

    assert "receiver refuses deliveries to tea.lab.example:1706" in refused.stderr
    assert refused.exit_code == 0
    assert accepted.stderr == ""


def test_an_added_hook_delivers_what_the_receiver_accepts(place: Place) -> None:
    """The address holds the hook's id, the signature fits its secret, the body is the push."""
    with Recorder() as recorder:
        said = place.run("webhook", "add", place.repository, "--url", recorder.url)
        assert f"pushes to {place.repository} are delivered" in said.output
        (hook,) = place.hooks.all()
        assert hook.secrets[0] not in said.output
        tip = place.clone.commit("a")
        place.clone.push()
        (came,) = recorder.wait(1)
        assert came.path == f"/hooks/gitea/{hook.id}"
        assert is_signed(came.body, came.headers["x-gitea-signature"], hook.secrets)
        event = parse_gitea_delivery(came.event, came.body)
        assert isinstance(event, PushEvent)
        assert (event.after, event.repository_id) == (tip, hook.repository_id)
        assert place.run("webhook", "list").output == f"{place.repository}  active\n"
        recorder.kept.clear()
        with pytest.raises(OutsideError, match=r"no test delivery .* arrived within 0\.3 s"):
            # The recorder takes deliveries, but is not our receiver.
            place.run("webhook", "test", place.repository, "--wait", "0.3")
        (tested,) = recorder.wait(1)
        assert isinstance(parse_gitea_delivery(tested.event, tested.body), Ignored)


def test_a_test_waits_until_the_receiver_has_it(place: Place, tmp_path: Path) -> None:
    """The forge delivers to a real receiver, which judges and notes it."""
    server = make_server("127.0.0.1", 0, receiver.make(tmp_path / "state"), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        place.clone.commit("a")
        place.clone.push()
        place.run("webhook", "add", place.repository, "--url", f"http://127.0.0.1:{server.port}")
        until = time.monotonic() + 10
        while True:
            try:
                said = place.run("webhook", "test", place.repository)
                break
            except ForgeError as error:
                # Gitea learns from a queue that the first push has come; Forgejo answers 500 till then.
                early = error.response_status == 500 or "repository is empty" in error.message
                if not early or time.monotonic() > until:
                    raise
                time.sleep(0.2)
        assert said.output == f"{place.repository}: delivery received, signature valid\n"
    finally:
        server.shutdown()
        server.server_close()


def test_adding_again_replaces(place: Place) -> None:
    """One hook with one new secret is left, here and on the forge."""
    place.run("webhook", "add", place.repository, "--url", "http://127.0.0.1:9")
    (first,) = place.hooks.all()
    place.run("webhook", "add", place.repository, "--url", "http://127.0.0.1:9")
    (second,) = place.hooks.all()
    assert first.id != second.id
    assert first.secrets != second.secrets
    assert place.run("webhook", "list").output == f"{place.repository}  active\n"


def test_a_rotated_hook_has_one_new_secret(place: Place) -> None:
    """The address stays, deliveries are signed by the new secret, and only that one is accepted."""
    with Recorder() as recorder:
        place.run("webhook", "add", place.repository, "--url", recorder.url)
        (before,) = place.hooks.all()
        said = place.run("webhook", "rotate", place.repository)
        (after,) = place.hooks.all()
        assert f"the webhook of {place.repository} has a new secret\n" == said.output
        assert (before.id, 1) == (after.id, len(after.secrets))
        assert before.secrets != after.secrets
        place.clone.commit("a")
        place.clone.push()
        (came,) = recorder.wait(1)
        assert came.path == f"/hooks/gitea/{after.id}"
        assert is_signed(came.body, came.headers["x-gitea-signature"], after.secrets)
        assert place.run("webhook", "list").output == f"{place.repository}  active\n"


def test_a_rotation_that_failed_can_be_repeated(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then both secrets are accepted; what it left on the forge goes."""

    def fail(*_: str) -> None:
        raise ForgeError("the forge does not answer")

    with Recorder() as recorder:
        place.run("webhook", "add", place.repository, "--url", recorder.url)
        with monkeypatch.context() as patch:
            patch.setattr(GiteaForge, "remove_webhook", fail)
            with pytest.raises(ForgeError, match="does not answer"):
                place.run("webhook", "rotate", place.repository)
        (between,) = place.hooks.all()
        assert 2 == len(between.secrets)

        place.run("webhook", "rotate", place.repository)
        (after,) = place.hooks.all()
        place.clone.commit("a")
        place.clone.push()
        recorder.wait(1)
        (came,) = recorder.wait(2, timeout=1)
        assert is_signed(came.body, came.headers["x-gitea-signature"], after.secrets)
        assert (1, False) == (len(after.secrets), after.secrets[0] in between.secrets)


def test_a_removed_hook_is_gone_on_both_sides(place: Place) -> None:
    """Nothing is kept here, nothing is delivered by the forge."""
    with Recorder() as recorder:
        place.run("webhook", "add", place.repository, "--url", recorder.url)
        place.run("webhook", "remove", place.repository)
        assert list(place.hooks.all()) == []
        place.clone.commit("a")
        place.clone.push()
        assert recorder.wait(1, timeout=1) == []
    with pytest.raises(NotFound, match="there is no webhook"):
        place.run("webhook", "remove", place.repository)


def test_a_hook_for_nothing_leaves_nothing_behind(place: Place) -> None:
    """A repository that is not there is named; no record is kept."""
    with pytest.raises(ForgeError, match="the repository does not exist"):
        place.run("webhook", "add", "nobody/none")
    with pytest.raises(UsageError, match="expected OWNER/REPO"):
        place.run("webhook", "add", "edges")
    assert list(place.hooks.all()) == []
    assert "there are no webhooks" in place.run("webhook", "list").output


@pytest.mark.gitea
def test_a_bot_without_rights_is_told_which(gitea: real.Gitea, tmp_path: Path) -> None:
    """Gitea's own sentence says that the bot must be an administrator of the repository."""
    repository = gitea.repository("no-rights", bot="write")
    place = _place(tmp_path, gitea.url, gitea.bot_token, repository, gitea.push_url(repository))
    with pytest.raises(ForgeError, match="collaborator with admin write"):
        place.run("webhook", "add", repository)
    assert list(place.hooks.all()) == []
