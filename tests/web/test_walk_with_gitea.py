"""A person's way in a browser, with a real Gitea and a whole server: push, look, mend, see the result.

``TEA_TEST_SCREENS`` names a folder for the pictures.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, spec
from tests.e2e.test_whole_way import Server, wait_for
from tests.gitea import Gitea

pytestmark = [
    pytest.mark.browser,
    pytest.mark.gitea,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

_PLOT = base64.b64encode(cv2.imencode(".png", np.full((40, 60, 3), 90, np.uint8))[1].tobytes())
#: Prints for a while before it ends, so that somebody can watch.
_FIT = (
    'for n in 1 2 3 4 5 6 7 8; do echo "slice $n"; sleep 0.5; done; {end}; '
    f"echo {_PLOT.decode()} | base64 -d > $PFS/out/plot.png"
)
_BROKEN = 'echo "ValueError: matrix is singular" >&2; exit 3'


class Walk:
    """A repository of an account, a server that looks after it, and the browser of a person."""

    def __init__(self, root: Path, gitea: Gitea, chromium: Any) -> None:
        self.gitea = gitea
        self.name, self.password = f"ada-{secrets.token_hex(4)}", secrets.token_hex(12)
        account = {"username": self.name, "email": f"{self.name}@example.org"}
        gitea.api(
            "POST",
            "/admin/users",
            {**account, "password": self.password, "must_change_password": False},
        )
        self.repository = gitea.repository(f"walk-{secrets.token_hex(4)}", private=True)
        self._invite()
        forge = {"url": gitea.url, "user": gitea.bot, "token": gitea.bot_token}
        self.lab = Lab(
            root, forge={}, push_url=gitea.push_url(self.repository), name=self.repository
        )
        self.server = Server(self.lab, forge, self.repository)
        self._add_sign_in()
        self._context = chromium.new_context(viewport={"width": 1280, "height": 900})
        self.page = self._context.new_page()

    def _invite(self) -> None:
        place = f"/repos/{self.repository}/collaborators/{self.name}"
        self.gitea.api("PUT", place, {"permission": "write"})

    def _add_sign_in(self) -> None:
        """An application of OAuth2, as ``tea-runner setup`` makes one."""
        about = {
            "name": self.repository,
            "redirect_uris": [f"{self.server.url}/sign-in/callback"],
            "confidential_client": True,
        }
        made = self.gitea.api("POST", "/user/applications/oauth2", about)
        secret = self.server.state / "oauth-secret"
        secret.write_text(made["client_secret"])
        text = self.server.config.read_text()
        self.server.config.write_text(
            f'{text}[pages]\noauth_client_id = "{made["client_id"]}"\n'
            f'oauth_secret_file = "{secret}"\n'
        )

    def push(self, end: str, message: str) -> str:
        """Push the pipeline with this end of its command; returns the commit."""
        self.lab.write({"fit/spec.yml": spec("fit", _FIT.format(end=end), datum_tries=1)})
        self.lab.save(message)
        return self.lab.push()

    def picture(self, name: str) -> None:
        """Keep a picture of what the person sees, where a folder is named."""
        folder = os.environ.get("TEA_TEST_SCREENS")
        if folder:
            self.page.screenshot(path=f"{folder}/walk-{name}.png", full_page=True)

    def until(self, condition: str, seconds: float = 90) -> None:
        """Wait until something holds on the page, which is not loaded again meanwhile."""
        for _ in range(int(seconds * 10)):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(100)
        self.picture("waits")
        logs = "\n".join(p.read_text() for p in (self.server.state / "logs").glob("*.log"))
        pytest.fail(f"it never held: {condition}\n{self.page.inner_text('main')}\n{logs[-4000:]}")

    def sees(self, words: str, where: str = "main") -> str:
        """A condition for :meth:`until`."""
        return f"document.querySelector({where!r})?.innerText.includes({words!r})"

    def close(self) -> None:
        """End everything."""
        self._context.close()
        self.server.stop()
        self.lab.close()


@pytest.fixture
def walk(tmp_path: Path, gitea: Gitea, chromium: Any) -> Iterator[Walk]:
    """Everything runs, and the webhook is there."""
    made = Walk(tmp_path, gitea, chromium)
    try:
        made.server.start()
        made.server.cli("webhook", "add", made.repository)
        yield made
    finally:
        made.close()


def test_push_look_mend_and_see_the_result(walk: Walk) -> None:
    """Without an administrator, and without a reload: the pages themselves say what is new."""
    page, server = walk.page, walk.server
    walk.lab.create(files={**ATTRIBUTES, "raw/a.txt": "1\n"})

    # Push, and sign in with the account of the forge.
    broken = walk.push(_BROKEN, "Fit the plot")
    page.goto(f"{server.url}/repos/{walk.repository}")
    page.click("text=Sign in with your account of")
    page.fill("input[name=user_name]", walk.name)
    page.fill("input[name=password]", walk.password)
    page.click("button:has-text('Sign In')")
    page.click("button:has-text('Authorize')")
    page.wait_for_url(f"{server.url}/repos/{walk.repository}")
    assert walk.name in page.inner_text("header")

    # The run is there, and its log grows under one's eyes.
    page.evaluate("window.mine = 1")
    walk.until(walk.sees("Fit the plot"))
    page.click("text=Fit the plot")
    walk.until("!!document.querySelector('#jobs a')")
    page.click("#jobs a")
    page.evaluate("window.mine = 1")
    walk.until(walk.sees("slice 2", "pre.log"))
    walk.picture("live-log")
    walk.until(walk.sees("ValueError: matrix is singular", "pre.log"))
    walk.until(walk.sees("failed", "#standing"))
    assert 1 == page.evaluate("window.mine")

    # The run says the line that explains it, and so does the forge.
    page.click(".crumbs a:has-text('run ')")
    walk.until(walk.sees("ValueError: matrix is singular", "#failures"))
    walk.picture("failed")
    assert "failure" == _status(walk, broken)
    said = walk.gitea.api("GET", f"/repos/{walk.repository}/commits/{broken}/status")
    assert "ValueError: matrix is singular" in said["statuses"][0]["description"]

    # Mend, push: the page of the repository shows the new run by itself, until it is green.
    page.click(f".crumbs a:has-text('{walk.repository}')")
    mended = walk.push("true", "Mend the matrix")
    walk.until(walk.sees("Mend the matrix"))
    page.click("text=Mend the matrix")
    walk.until("document.title.startsWith('done')")
    walk.picture("green")
    assert "success" == _status(walk, mended)

    # The picture is on the page of the datum, and on the forge.
    page.click("#datum-table tbody a")
    walk.until("document.querySelector('figure img')?.naturalWidth === 60")
    page.locator("figure img").scroll_into_view_if_needed()
    walk.picture("datum")
    page.click("ul.files a:has-text('fit/plot.png')")
    page.wait_for_url(f"{walk.gitea.url}/{walk.repository}/src/commit/**")
    walk.until("[...document.images].some(each => each.naturalWidth === 60)")
    walk.picture("picture-on-the-forge")


def _status(walk: Walk, commit: str) -> str:
    """The combined status of a commit on the forge, once it has ended."""

    def ended() -> str:
        found = walk.gitea.api("GET", f"/repos/{walk.repository}/commits/{commit}/status")
        return "" if found["state"] in ("", "pending") else str(found["state"])

    return str(wait_for(ended))
