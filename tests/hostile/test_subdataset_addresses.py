"""Subdatasets whose addresses leave open which repository of the forge they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.pipelines import COPY, pfs, spec
from tests.hostile.neighbours import ADA, PUBLIC, Neighbours

RAW = {"raw/a.txt": "data\n"}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Neighbours]:
    """A server with nothing to do yet."""
    made = Neighbours(tmp_path)
    yield made
    made.forge.close()


def reads(pin: str, url: str, path: str = "inputs/one") -> dict[str, Any]:
    """Files of a dataset whose pipeline copies a file out of a subdataset with this URL."""
    return {
        ".gitattributes": "* annex.largefiles=nothing\n",
        ".gitmodules": f'[submodule "x"]\n\tpath = {path}\n\turl = "{url}"\n',
        "up/spec.yml": spec("up", COPY, pfs(f"{path}/raw")),
        path: {"submodule": pin},
    }


@pytest.mark.parametrize(
    ("published", "url"),
    [
        ("open-inputs-one", "./inputs/one"),
        ("open-inputs_one", "./inputs/one"),
        ("one", "../../one"),
    ],
)
def test_a_relative_url_leads_to_what_was_published(
    lab: Neighbours, published: str, url: str
) -> None:
    """``create -d .`` with ``create-sibling-gitea -r``, and a clone from the folder beside."""
    pin = lab.make(published, PUBLIC, RAW)
    lab.make("open", PUBLIC, reads(pin, url))

    assert {"up/a.txt": b"data\n"} == lab.meet("open").outputs


def test_a_repository_of_that_name_with_other_commits_is_not_taken(lab: Neighbours) -> None:
    """The pinned commit decides: the next likely repository has it."""
    lab.make("open-inputs-one", PUBLIC, {"raw/a.txt": "other\n"})
    pin = lab.make("one", PUBLIC, RAW)
    lab.make("open", PUBLIC, reads(pin, "./inputs/one"))

    assert {"up/a.txt": b"data\n"} == lab.meet("open").outputs


def test_a_likely_repository_obeys_the_rules_for_readers(lab: Neighbours) -> None:
    """A relative URL is no way to a repository that not everybody may read."""
    pin = lab.make("open-inputs-one", ADA, RAW)
    lab.make("open", PUBLIC, reads(pin, "./inputs/one"))

    met = lab.meet("open")

    assert {} == met.outputs
    assert "not everybody who may read lab/open may read (everybody)" in met.said


def test_an_untrusted_branch_gets_no_likely_repository_of_its_own(lab: Neighbours) -> None:
    """What no trusted branch leads to stays out of its reach."""
    pin = lab.make("one", PUBLIC, RAW)
    lab.make("open", PUBLIC)
    lab.branch("open", "feature", reads(pin, "../../one"))

    met = lab.meet("open", "feature")

    assert {} == met.outputs
    assert "no trusted branch of lab/open has as a subdataset" in met.said


def test_a_url_of_another_host_gives_the_line_to_write(lab: Neighbours) -> None:
    """The address is told without the password in it."""
    pin = lab.make("one", PUBLIC, RAW)
    lab.make("open", PUBLIC, reads(pin, "https://ada:word@elsewhere.org/lab/one"))

    met = lab.meet("open")

    assert "is at https://elsewhere.org/lab/one, which is not a repository of" in met.said
    assert "word" not in met.said


def test_subdatasets_inside_of_an_input_obey_the_rules_for_readers(lab: Neighbours) -> None:
    """They are not left out either: nothing of the input is computed."""
    pin = lab.make("one", ADA, RAW)
    files = reads(pin, "../one") | {"up/spec.yml": spec("up", COPY, pfs("inputs"))}
    lab.make("open", PUBLIC, files | {"inputs/b.txt": "b\n"})

    met = lab.meet("open")

    assert {} == met.outputs
    assert "not everybody who may read lab/open may read (everybody)" in met.said


def test_code_and_images_in_subdatasets_obey_them_too(lab: Neighbours) -> None:
    """A command or a container of few is not run for all."""
    config = '[datalad "containers.x"]\n\timage = x.sif\n'
    pin = lab.make("one", ADA, {"run.sh": "echo", "x.sif": "sif", ".datalad/config": config})
    for name, extra in (("code", {}), ("containers", {"transform": {"image": "containers/x"}})):
        files = reads(pin, "../one", name)
        cmd = {"transform": {"cmd": ["sh", "-c", COPY], **extra.get("transform", {})}}
        text = json.dumps({"pipeline": {"name": "up"}, "input": pfs("raw"), **cmd})
        lab.make(f"open-{name}", PUBLIC, files | {"up/spec.yml": text, "raw/a.txt": "a"})

        met = lab.meet(f"open-{name}")

        assert {} == met.outputs
        assert f"may read lab/open-{name} may read (everybody)" in met.said


def test_a_rule_of_the_operator_leads_to_a_repository_with_its_readers(tmp_path: Path) -> None:
    """Another host's dataset is read from the repository that stands for it, if all readers may."""
    url = "ria+https://store.org/raw#~one"
    for audience, outputs in ((PUBLIC, {"up/a.txt": b"data\n"}), (ADA, {})):
        made = Neighbours(
            tmp_path / audience.visibility, more=f'other_addresses = ["{url}=lab/one"]'
        )
        try:
            pin = made.make("one", audience, RAW)
            made.make("open", PUBLIC, reads(pin, url))
            assert outputs == made.meet("open").outputs
        finally:
            made.forge.close()


ID = "0f1a2b3c-0000-4000-8000-00000000beef"


def candidate(pin: str, template: str, **more: str) -> dict[str, Any]:
    """A dataset whose ``.gitmodules`` leads nowhere, and whose configuration has a source candidate."""
    files = reads(pin, "https://elsewhere.org/x")
    files[".gitmodules"] += "".join(f"\t{key} = {value}\n" for key, value in more.items())
    config = f'[datalad "get"]\n\tsubdataset-source-candidate-lab = {template}\n'
    return files | {".datalad/config": config}


@pytest.mark.parametrize("template", ["../{path_basename}", "../{id}", "@BASE@/lab/{id}.git"])
def test_source_candidates_of_datalad_lead_to_a_repository(lab: Neighbours, template: str) -> None:
    """As ``datalad get`` takes them, by the path, or by the id of the dataset."""
    pin = lab.make(ID if "{id}" in template else "one", PUBLIC, RAW)
    base = lab.forge.site.forge_base
    files = candidate(pin, template.replace("@BASE@", base), **{"datalad-id": ID})
    lab.make("open", PUBLIC, files)

    assert {"up/a.txt": b"data\n"} == lab.meet("open").outputs


def test_an_address_for_datalad_leads_to_a_repository(lab: Neighbours) -> None:
    """``datalad-url`` of ``.gitmodules`` comes before the address for git."""
    pin = lab.make("one", PUBLIC, RAW)
    lab.make("other", PUBLIC, {"raw/a.txt": "other\n"})
    files = reads(pin, "../other")
    files[".gitmodules"] += "\tdatalad-url = ../one\n"
    lab.make("open", PUBLIC, files)

    assert {"up/a.txt": b"data\n"} == lab.meet("open").outputs


def test_a_source_candidate_obeys_the_rules_for_readers(lab: Neighbours) -> None:
    """It is no way to a repository that not everybody may read."""
    pin = lab.make("one", ADA, RAW)
    lab.make("open", PUBLIC, candidate(pin, "../one"))

    met = lab.meet("open")

    assert {} == met.outputs
    assert "not everybody who may read lab/open may read (everybody)" in met.said


@pytest.mark.parametrize("trusted", [True, False])
def test_source_candidates_of_trusted_branches_count_for_others(
    lab: Neighbours, trusted: bool
) -> None:
    """An untrusted branch cannot add one of its own."""
    pin = lab.make("one", PUBLIC, RAW)
    files = candidate(pin, "../one")
    lab.make("open", PUBLIC, files if trusted else reads(pin, "https://elsewhere.org/x"))
    lab.branch("open", "feature", files | {"raw/other": "x"})

    met = lab.meet("open", "feature")

    assert ({"up/a.txt": b"data\n"} if trusted else {}) == met.outputs
    said = "no trusted branch of lab/open has as a subdataset" in met.said
    assert said is not trusted


def test_a_ria_store_is_mirrored_by_the_ids_of_its_datasets(tmp_path: Path) -> None:
    """One rule of the operator for the whole store, with or without a version."""
    for end in ("", "@v1.2"):
        made = Neighbours(
            tmp_path / f"v{end}", more='other_addresses = ["ria+https://store.org/raw#=lab/"]'
        )
        try:
            pin = made.make(ID, PUBLIC, RAW)
            made.make("open", PUBLIC, reads(pin, f"ria+https://store.org/raw#{ID}{end}"))
            assert {"up/a.txt": b"data\n"} == made.meet("open").outputs
        finally:
            made.forge.close()
