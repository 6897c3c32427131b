"""A run's page in a real browser: its own style arrives, nothing is refused, and it is not blank."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import cv2
import pytest
from werkzeug.serving import make_server

from tea_runner.host import process
from tea_runner.wiring import Site
from tests.looking import RUN, make_job, save
from tests.web.browser import make_stranger

pytestmark = pytest.mark.browser

_QUIET = (
    *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-sandbox"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--window-size=1100,900"),
)


def test_a_runs_page_is_shown_as_it_is_meant(site: Site, tmp_path: Path) -> None:
    """No word on the console (a refused style or picture is one), and a picture with colours in it."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs chromium: apt install chromium")
    save(site, [make_job(1), make_job(2)])
    server = make_server("127.0.0.1", 0, make_stranger(site).application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    picture = tmp_path / "page.png"
    try:
        done = process.run(
            [
                browser,
                *_QUIET,
                f"--user-data-dir={tmp_path / 'profile'}",
                f"--screenshot={picture}",
                f"http://127.0.0.1:{server.server_port}/runs/{RUN}?token={site.pages_token}",
            ],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            timeout=90,
        )
    finally:
        server.shutdown()
        thread.join()

    assert [] == [line for line in done.stderr.decode().splitlines() if "CONSOLE" in line]
    image = cv2.imread(str(picture))
    assert image is not None
    assert (900, 1100) == image.shape[:2]
    # The stylesheet gives states their colour: pixels that are clearly more green than red.
    green = image[:, :, 1].astype(int) - image[:, :, 2]
    assert (green > 40).sum() > 50
