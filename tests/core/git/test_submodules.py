"""Which repository of the forge a subdataset's address names."""

from __future__ import annotations

import pytest

from tea_runner.core.git.submodules import (
    Submodule,
    likely_repositories,
    mirrored_repository,
    parse_addresses,
    parse_gitmodules,
    repository_of,
)

BASE = "https://git.example.org"


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/lab/sub",
        "https://git.example.org/lab/sub.git",
        "https://git.example.org/lab/sub/.git",
        "https://git.example.org/lab/sub.git/",
        "https://git.example.org:443/lab/sub",
        "https://GIT.example.org./lab//sub",
        "https://user:word@git.example.org/lab/sub.git",
        "https://git.example.org/lab/%73ub",
        "http://git.example.org/lab/sub",
        "http://git.example.org:80/lab/sub",
        "git://git.example.org/lab/sub",
        "ssh://git@git.example.org:2222/lab/sub.git",
        "ssh://git.example.org/lab/sub.git",
        "git+ssh://git@git.example.org/lab/sub.git",
        "git@git.example.org:lab/sub.git",
        "git.example.org:lab/sub",
        "git@git.example.org:/lab/sub.git",
        "../sub.git",
        "../sub/.git",
        "../sub/",
        "./../sub",
        "../../lab/sub",
    ],
)
def test_all_addresses_of_a_repository_name_it(url: str) -> None:
    """The page of the forge gives some of them, DataLad and git write the others."""
    assert "lab/sub" == repository_of(url, BASE, "lab/super")


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org.evil.org/lab/sub",
        "https://evil.org/git.example.org/lab/sub",
        "https://git.example.org@evil.org/lab/sub",
        "https://git.example.org:8443/lab/sub",
        "https://git.example.org:x/lab/sub",
        "https://[git.example.org/lab/sub",
        "ext::sh -c id",
        "git@evil.org:lab/sub",
        "git@evil.org:git.example.org/lab",
        "ria+https://git.example.org#~raw",
        "file:///lab/sub",
        "/lab/sub",
        "lab/sub",
        "https://git.example.org/lab/sub/more",
        "https://git.example.org/lab",
        "https://git.example.org/lab/..",
        "https://git.example.org/lab/%2e%2e",
        "../../sub",
        "../../../sub",
        "",
    ],
)
def test_other_addresses_name_nothing(url: str) -> None:
    """No other host, no other service of the same host, no place between the repositories."""
    assert None is repository_of(url, BASE, "lab/super")


@pytest.mark.parametrize(
    ("base", "url", "expected"),
    [
        ("https://x.org/git", "https://x.org/git/lab/sub", "lab/sub"),
        ("https://x.org/git", "https://x.org/lab/sub", None),
        ("https://x.org/git", "git@x.org:lab/sub.git", "lab/sub"),
        ("https://x.org:3000", "https://x.org:3000/lab/sub", "lab/sub"),
        ("https://x.org:3000", "https://x.org/lab/sub", "lab/sub"),
        ("http://x.org:3000", "https://x.org:3000/lab/sub", "lab/sub"),
        ("http://x.org:3000", "https://x.org:4000/lab/sub", None),
        ("file:///srv/git", "/srv/git/lab/sub.git", "lab/sub"),
        ("file:///srv/git", "file:///srv/git/lab/sub", "lab/sub"),
        ("file:///srv/my%20git", "/srv/my git/lab/sub", "lab/sub"),
        ("file:///srv/git", "https://x.org/srv/git/lab/sub", None),
        ("file:///srv/git", "/srv/git/../lab/sub", None),
    ],
)
def test_a_forge_may_have_a_folder_a_port_or_no_server(
    base: str, url: str, expected: str | None
) -> None:
    """The folder is no part of addresses of ssh; a folder of repositories has paths, too."""
    assert expected == repository_of(url, base, "lab/super")


def test_relative_urls_of_datalad_lead_to_what_it_publishes() -> None:
    """``create -d .`` with ``create-sibling-gitea -r``, and a path that was right on somebody's disk."""
    inner = Submodule(path="inputs/raw", url="./inputs/raw")
    disk = Submodule(path="inputs/raw", url="../../raw.git")

    assert ["lab/super-inputs-raw", "lab/super-inputs_raw", "lab/raw"] == list(
        likely_repositories(inner, "lab/super")
    )
    assert "lab/raw" in likely_repositories(disk, "lab/super")
    assert () == likely_repositories(Submodule(path="raw", url="https://x.org/a/b"), "lab/super")


def test_gitmodules_are_read_whatever_their_layout() -> None:
    """Comments, a key beside its section, capital letters, a slash at the end."""
    data = (
        b'[submodule "a"] path = a ; raw\n url = ../a.git # mirror\n'
        b'[SUBMODULE "b"]\n Path = "in/b c"/\n URL = ../b\n\tBranch = dev\n'
        b'[submodule "c"]\n path = c\n'
    )

    assert {
        "a": Submodule(path="a", url="../a.git"),
        "in/b c": Submodule(path="in/b c", url="../b", branch="dev"),
    } == parse_gitmodules(data)


def test_a_password_in_an_address_is_not_shown() -> None:
    """Somebody wrote it into the file; logs and pages need not repeat it."""
    module = Submodule(path="a", url="https://ada:word@x.org/lab/a")

    assert "https://x.org/lab/a" == module.shown_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("git@ssh.example.org:lab/sub.git", "lab/sub"),
        ("https://github.com/org/sub", "mirrors/sub"),
        ("https://github.com/org/sub/more", None),
        ("https://github.com/org/special.git", "lab/own"),
        ("https://github.com/organs/sub", None),
        ("ria+https://store.org/raw#~eeg", "lab/eeg"),
        ("ria+https://store.org/raw#~eeg2", None),
        ("https://github.com/org/..", None),
    ],
)
def test_the_operator_says_what_stands_for_other_addresses(url: str, expected: str | None) -> None:
    """Prefixes end where a name begins; the longest one counts."""
    rules = parse_addresses(
        [
            "git@ssh.example.org:=",
            "https://github.com/org/=mirrors/",
            "https://github.com/org/special=lab/own",
            "ria+https://store.org/raw#~eeg=lab/eeg",
        ]
    )
    assert expected == mirrored_repository(url, rules)


@pytest.mark.parametrize(
    "row", ["x", "=lab/sub", "https://x.org/a=", "https://x.org/a=lab/", "a/=b/c/d"]
)
def test_malformed_rules_are_refused(row: str) -> None:
    """The row is named."""
    with pytest.raises(ValueError, match=row):
        parse_addresses([row])


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("https://x.org/{id}", ["../b", "https://x.org/I"]),
        ("https://x.org/{path}/{path_basename}", ["../b", "https://x.org/in/b/b"]),
        ("../{remoteurl-origin}", ["../b"]),
        ("../{id.__class__}", ["../b"]),
        ("../{id:>99999999999}", ["../b"]),
        ("{url}", ["../b"]),
    ],
)
def test_templates_are_filled_with_fields_of_gitmodules(template: str, expected: list[str]) -> None:
    """Nothing else of Python's formats: no attributes, no widths; unknown fields make no address."""
    data = b'[submodule "b"]\n path = in/b\n url = ../b\n datalad-id = I\n'
    config = f'[datalad "get"]\n subdataset-source-candidate-x = {template}\n'.encode()

    assert expected == list(parse_gitmodules(data, config)["in/b"].urls)


def test_addresses_are_in_the_order_of_their_costs() -> None:
    """As DataLad: 590 for datalad-url, 600 for url, 700 for a template whose name has no other."""
    data = b'[submodule "b"]\n path = b\n url = u\n datalad-url = d\n'
    config = (
        b'[datalad "get"]\n subdataset-source-candidate-x = t700\n'
        b" subdataset-source-candidate-595y = t595\n subdataset-source-candidate-100 = t100\n"
    )

    assert ["t100", "d", "t595", "u", "t700"] == list(parse_gitmodules(data, config)["b"].urls)
