"""Badges: of public repositories alone, fresh, and no markup from names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from tea_runner.core.repository_visibility import Audience, Visibility
from tea_runner.forge.cached_facts import CachedFacts
from tea_runner.wiring import Site
from tests.looking import REPOSITORY, make_job, save
from tests.twins.forge import MemoryForge

_BADGE = f"/badge/{REPOSITORY}/main.svg"


@pytest.fixture
def forge(site: Site, tmp_path: Path) -> MemoryForge:
    """The forge of the site, with its repository open to everybody."""
    forge = MemoryForge()
    forge.create(REPOSITORY)
    vars(site)["forge_facts"] = CachedFacts(forge, tmp_path / "facts")
    return forge


def _words(text: str) -> list[str]:
    root = ElementTree.fromstring(text)
    return [each.text or "" for each in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_badge_says_the_state_of_the_latest_run(
    site: Site, pages: FlaskClient, forge: MemoryForge
) -> None:
    """Of the branch, or of one of its pipelines; what has none says so."""
    save(site, [make_job()], state="settled")
    answer = pages.get(_BADGE)

    assert (200, "image/svg+xml") == (answer.status_code, answer.mimetype)
    assert ["tea-runner", "done"] == _words(answer.text)
    assert ["edges", "done"] == _words(pages.get(f"{_BADGE}?pipeline=edges").text)
    assert ["none", "no run"] == _words(pages.get(f"{_BADGE}?pipeline=none").text)
    other = pages.get(f"/badge/{REPOSITORY}/a/b.svg")
    assert ["tea-runner", "no run"] == _words(other.text)


def test_a_badge_is_asked_for_each_time_and_sent_when_it_changed(
    site: Site, pages: FlaskClient, forge: MemoryForge
) -> None:
    """As the proxies of forges need it."""
    save(site, [make_job()], state="settled")
    first = pages.get(_BADGE)
    assert "no-cache" in first.headers["Cache-Control"]
    again = pages.get(_BADGE, headers={"If-None-Match": first.headers["ETag"]})

    assert (304, b"") == (again.status_code, again.data)
    stale = pages.get(_BADGE, headers={"If-None-Match": '"x"'})
    assert 200 == stale.status_code


@pytest.mark.parametrize("visibility", ["users", "organization", "private"])
def test_there_is_no_badge_of_what_not_everybody_may_read(
    site: Site, pages: FlaskClient, forge: MemoryForge, visibility: Visibility
) -> None:
    """The same answer as for what does not exist."""
    save(site, [make_job()], state="settled")
    forge.show(REPOSITORY, Audience(visibility=visibility, owner="lab"))
    hidden, unknown = pages.get(_BADGE), pages.get("/badge/lab/none/main.svg")

    assert 404 == hidden.status_code == unknown.status_code
    assert hidden.data == unknown.data


def test_the_operator_shows_a_badge_to_everybody(
    site: Site, pages: FlaskClient, forge: MemoryForge
) -> None:
    """``pages.public`` counts for badges as for pages."""
    save(site, [make_job()], state="settled")
    forge.show(REPOSITORY, Audience(visibility="private", owner="lab"))
    shown = replace(site.settings.pages, public=("lab/*",))
    vars(site)["settings"] = replace(site.settings, pages=shown)

    assert ["tea-runner", "done"] == _words(pages.get(_BADGE).text)


def test_there_is_no_badge_while_the_forge_does_not_answer(
    site: Site, pages: FlaskClient, forge: MemoryForge
) -> None:
    """What is not known to be public is not shown."""
    save(site, [make_job()], state="settled")
    forge.reachable = False

    assert 404 == pages.get(_BADGE).status_code


@pytest.mark.parametrize(
    "name", ["<script>", '"/><a href="https://evil"', "%00%1b%E2%80%AE", "x" * 500, "&lt;"]
)
def test_no_name_becomes_markup(
    site: Site, pages: FlaskClient, forge: MemoryForge, name: str
) -> None:
    """The name of a pipeline comes from the address."""
    save(site, [make_job()], state="settled")
    answer = pages.get(_BADGE, query_string={"pipeline": name})
    root = ElementTree.fromstring(answer.text)

    tags = {each.tag.rpartition("}")[2] for each in root.iter()}
    assert {"svg", "title", "rect", "g", "text"} == tags
    assert 2 == len(_words(answer.text))
    assert len(answer.data) < 2000


def test_no_name_takes_the_forge_more_questions_than_another(
    site: Site, pages: FlaskClient, forge: MemoryForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the time of an answer does not tell whether there is a private repository."""
    save(site, [make_job()], state="settled")
    forge.show(REPOSITORY, Audience(visibility="private", owner="lab"))
    asked: list[str] = []
    facts = site.forge_facts
    known = facts.audience
    monkeypatch.setattr(facts, "audience", lambda name: (asked.append(name), known(name))[1])
    counts = []
    for repository in ("lab/absent", REPOSITORY, "lab/absent", REPOSITORY):
        assert 404 == pages.get(f"/badge/{repository}/main.svg").status_code
        counts.append(len(asked))
    assert [1, 1, 1, 1] == counts
