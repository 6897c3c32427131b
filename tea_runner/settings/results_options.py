"""Settings of results: who makes their commits, where they go, and which count."""

# ruff: noqa: RUF009 - option() only creates the field of a dataclass

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tea_runner.settings.option import option


@dataclass(frozen=True, kw_only=True)
class BotOptions:
    """Author of results commits."""

    name: str = option("tea-runner", "Author name of results commits.")
    email: str = option("tea-runner@localhost", "Author email of results commits.")
    signing_key: Path | None = option(
        None,
        "Ed25519 SSH key (without a passphrase) that signs results commits; used by planners only.",
    )
    allowed_signers: Path | None = option(
        None,
        "List of signers that tea-runner verify-commit accepts, as in ssh-keygen(1), ALLOWED "
        "SIGNERS; trusted_signers decides which results count.",
    )


@dataclass(frozen=True, kw_only=True)
class OutputsOptions:
    """Files that commands write."""

    names: Literal["git", "portable", "any"] = option(
        "git",
        "Names that outputs may have. git: what git and a forge can hold. portable: also nothing that "
        "Windows or macOS cannot hold, such as a colon, a blank at the end, or A beside a. "
        "any: also control characters, and bytes that are not UTF-8. Names that steer other programs are "
        "refused in any case.",
    )


@dataclass(frozen=True, kw_only=True)
class ResultsOptions:
    """Where results go."""

    place: Literal["beside", "branch"] = option(
        "beside",
        "Where results of branches that are not trusted go. beside: to the branch tea/results/BRANCH, upon "
        "the tip of BRANCH, so that branches and pull requests can be merged. branch: to the branch itself.",
    )
    pull_requests: tuple[str, ...] = option(
        (),
        "Repositories, as owner/name patterns, whose results on trusted branches are proposed, too: they go "
        "to tea/results/BRANCH, and a pull request of that branch shows them. Merging it publishes them; "
        "once it is closed, the same results are not proposed again.",
    )


@dataclass(frozen=True, kw_only=True)
class TrustOptions:
    """Which results count."""

    key: Path | None = option(
        None,
        "Ed25519 SSH key (without a passphrase) that signs results. It is made at the first start. Back "
        "it up, and give it to all planners of one server.",
        shown="<state>/results_key",
    )
    reuse: Literal["trusted", "branch"] = option(
        "branch",
        "Whose results count on another branch, after a merge for example: trusted, of trusted branches "
        "only; branch, also those of other branches of the repository that were computed without network "
        "and secrets and with no lower limits.",
    )
    unsigned: bool = option(
        False,
        "Whether results count without a signature, as everybody who may push has written them.",
    )
