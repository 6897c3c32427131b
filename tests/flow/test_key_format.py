"""Datums whose keys an older tea-runner made by other rules: the plan names that as the reason."""

from __future__ import annotations

import pytest

from tests.twins.lab import MemoryLab
from tests.twins.plans import plan_of, reasons
from tests.twins.specs import pfs, spec

DATA = {"raw/a": "one", "raw/b": "two"}
NAMES = pfs(empty_files=True)
#: Keys that a tea-runner made whose code held documentation and whose placeholders had no content, and
#: the digest of the code in its manifest.
FORMER = {
    "copy": (
        "25d55b01a9e873dffb3d541e9cc4a7c1259947a4c24e1503625e3d9cc9bf2e5a",
        "2bd32d921e54353db8206a387c69a91cc3276e10cd0c5647de16712dee3290ca",
    ),
    "names": (
        "ecdcd132a5a30ee3a013400a30e569579bf318972dd97ecaa12c79ca3692a057",
        "3d75c5d7b7d0d787081db75f9fb59437778e766d53a22159d99d6977a2efdf3c",
    ),
    "both": (
        "3fc75d3624fbcd9ce50d6faf1f272e567b87bac41b37dd51724e23664d9a0fbb",
        "6bb79a2b6ed8b2d5fbcde03d75bfd4d5717a9d7f9598891cb4853858a75051fe",
    ),
}
FILES = {
    "copy": {
        "copy/spec.yml": spec("copy"),
        "copy/README.md": "read me",
        "copy/helper.py": "code",
    },
    "names": {"names/spec.yml": spec("names", NAMES)},
    "both": {"both/spec.yml": spec("both", NAMES), "both/README.md": "read me"},
}
CODE = {"copy": "6f91cd0737fc2927", "names": "", "both": "24fa3b50e35a329a"}


def made_by_an_older_version(lab: MemoryLab, name: str) -> None:
    """Push a pipeline with its results, and a manifest with the keys of an older tea-runner."""
    maker = MemoryLab()
    maker.push({**DATA, **FILES[name]})
    keys = [decision.key for decision in plan_of(maker, name).decisions]
    maker.settle()
    manifest = maker.text(f"{name}/manifest.tsv")
    for now, then in zip(keys, FORMER[name], strict=True):
        assert now in manifest
        manifest = manifest.replace(now, then)
    if CODE[name]:
        manifest = manifest.replace(plan_of(maker, name).parts["code"], CODE[name])
    results = {f"{name}/{path}": text for path, text in maker.files(name).items()}
    lab.push({**DATA, **FILES[name], **results, f"{name}/manifest.tsv": manifest})


@pytest.mark.parametrize("name", list(FORMER))
def test_a_key_by_former_rules_has_the_reason_key_format(lab: MemoryLab, name: str) -> None:
    """Nothing that the datums read has changed."""
    made_by_an_older_version(lab, name)

    assert {"in:a": ("run", "key-format"), "in:b": ("run", "key-format")} == reasons(lab, name)


@pytest.mark.parametrize("name", list(FORMER))
def test_an_input_that_changed_as_well_is_named(lab: MemoryLab, name: str) -> None:
    """The rules alone do not explain a key with other content, unless only names counted."""
    made_by_an_older_version(lab, name)
    lab.push({"raw/a": "changed"})
    expected = "code-changed" if name == "copy" else "key-format"

    assert {"in:a": ("run", expected), "in:b": ("run", "key-format")} == reasons(lab, name)


def test_code_that_changed_as_well_is_named(lab: MemoryLab) -> None:
    """The documentation alone does not explain the digest of other code."""
    made_by_an_older_version(lab, "copy")
    lab.push({"copy/helper.py": "other code"})

    assert {"in:a": ("run", "code-changed"), "in:b": ("run", "code-changed")} == reasons(lab)


def test_the_reason_is_gone_once_the_results_are_published(lab: MemoryLab) -> None:
    """The manifest has keys by the rules of today then."""
    made_by_an_older_version(lab, "copy")
    lab.settle()

    assert {"in:a": ("current", "current"), "in:b": ("current", "current")} == reasons(lab)
