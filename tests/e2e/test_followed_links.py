"""Symlinks of a dataset on a server: a worker has a mirror, and the content of what links lead to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.lab import Lab
from tests.e2e.pipelines import ATTRIBUTES, COPY, push, spec, tree
from tests.e2e.test_empty_files import SHUFFLE

Counted = tuple[str, Callable[[], int]]
FILES = {
    **ATTRIBUTES,
    "raw/sub-1.0.txt": "annexed\n",
    "raw/v2/a.txt": "a\n",
    "store/far.big": "far\n",
    "code/v2/run.sh": "echo code 2\n",
}
LINKS = {
    "raw/latest": "sub-1.0.txt",
    "raw/far": "../store/far.big",
    "raw/cur": "v2",
    "code/run.sh": "v2/run.sh",
}


def linked(lab: Lab, links: dict[str, str] | None = None) -> None:
    """Make links in the working tree, and commit them."""
    for path, target in (links or LINKS).items():
        (lab.dataset / path).unlink(missing_ok=True)
        (lab.dataset / path).symlink_to(target)
    lab.save("links")


@pytest.mark.long
def test_commands_get_the_content_of_what_links_lead_to(lab: Lab, counted: Counted) -> None:
    """Annexed or not, inside of the input and out of it; only what changed runs again."""
    command = f'{counted[0]}; sh code/run.sh; {COPY}; test -z "$(find "$PFS/in" -type l)"'
    lab.create(files={**FILES, "up/spec.yml": spec("up", command)})
    linked(lab)

    assert (5, True, "settled") == push(lab, counted[1])
    assert {
        "up/cur/a.txt": "a\n",
        "up/far": "far\n",
        "up/latest": "annexed\n",
        "up/sub-1.0.txt": "annexed\n",
        "up/v2/a.txt": "a\n",
    } == tree(lab, "up")

    linked(lab, {"raw/far": "sub-1.0.txt"})
    assert (1, True, "settled") == push(lab, counted[1])
    linked(lab, {"code/run.sh": "v2/../v2/run.sh"})
    assert (0, False, "settled") == push(lab, counted[1])


@pytest.mark.long
def test_an_output_that_links_to_the_placeholder_of_a_link_is_the_file(
    lab: Lab, counted: Counted
) -> None:
    """With ``empty_files``, nothing is fetched; the output has the key that the link leads to."""
    source = {"pfs": {"name": "in", "repo": "raw", "glob": "/far", "empty_files": True}}
    lab.create(files={**FILES, "up/spec.yml": spec("up", f"{counted[0]}; {SHUFFLE}", source)})
    linked(lab)

    assert (1, True, "settled") == push(lab, counted[1])
    keys = {
        lab.git("cat-file", "blob", f"HEAD:{path}").rsplit("/", 1)[-1]
        for path in ("store/far.big", "up/far/it")
    }
    assert 1 == len(keys)


@pytest.mark.long
def test_missing_content_is_named_by_the_file_that_has_to_be_got(
    lab: Lab, counted: Counted
) -> None:
    """Not by the link: ``git annex get`` of a link does nothing."""
    lab.create(files={**FILES, "up/spec.yml": spec("up", f"{counted[0]}; {COPY}")})
    linked(lab)
    lab.git("push", "-q", "origin", "HEAD:main", "git-annex")
    run = lab.settle()

    assert run is not None
    said = str(run)
    assert "store/far.big" in said
    assert "raw/far" not in said.replace("in:far", "")
