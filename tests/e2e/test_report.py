"""A run as one file: everything in it, nothing outside of it, and no markup of strangers."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import pytest

from tests.cli.dataset import tea
from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, pfs, spec

#: One pixel.
_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.long
def test_a_report_holds_all_of_a_run(lab: Lab) -> None:
    """Graph, counts, datums with their errors, and pictures; of a large one, too."""
    hostile = '"><script>alert(1)</script>.png'.replace("/", "-")
    command = f'{COPY}; test ! -e "$PFS/in/bad.txt" || {{ echo no such matrix; exit 3; }}'
    lab.create(
        files={
            **ATTRIBUTES,
            "raw/bad.txt": "x\n",
            f"raw/{hostile}": "no picture\n",
            "up/spec.yml": spec("up", command, datum_tries=1, on_failure="publish"),
            "big/spec.yml": spec(
                "big", f'{COPY}; head -c 40000 /dev/zero >> "$PFS/out/a.png"', pfs(glob="/a.png")
            ),
        }
    )
    (lab.dataset / "raw/a.png").write_bytes(_PNG)
    lab.save()
    lab.push()
    run = lab.settle()
    assert run is not None
    assert all(row.commit for row in run.pipelines), "failed, and published"
    assert run is not None
    config = str(lab.root / "hosts/host/tea-runner.toml")
    file = lab.root / "report.html"
    done = tea(lab.root, "--config", config, "report", run.id, "--html", str(file))

    assert 0 == done.code, done.err
    text = file.read_text()
    page = _Page(text)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert page.tags.count("svg") >= 1
    assert all(each.startswith("data:image/") for each in page.addresses), page.addresses
    pictures = [base64.b64decode(each.partition("base64,")[2]) for each in page.addresses]
    assert _PNG in pictures
    assert any(len(each) > 40_000 for each in pictures), "larger than what a mirror keeps"
    assert "the command exited 3: no such matrix" in page.text
    assert "1 failed" in page.text
    assert hostile in page.text
    assert "default-src 'none'" in text
    assert not re.search(r"https?://(?!www\.w3\.org)", text)

    shown = tea(lab.root, "--config", config, "report", run.id, "--html", "-")
    assert shown.out.startswith("<!doctype html>")
