"""The forge's client, and the datasets on the forge and in local clones."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from tea_runner.core.deliveries.registered_webhook import is_repository_name, matches_repository
from tea_runner.core.errors import ForgeError, OutsideError, SettingsError
from tea_runner.core.git.submodules import parse_addresses
from tea_runner.host.tool_search_path import tool_variables
from tea_runner.wiring.accounts import AccountsSite

if TYPE_CHECKING:
    from tea_runner.core.results.results_branch import ResultsPlace
    from tea_runner.dataset.forge_dataset import ForgeDataset
    from tea_runner.dataset.git_environment import ForgeCertificates, GitEnvironment
    from tea_runner.dataset.local_clone import CloneDataset
    from tea_runner.dataset.signing_keys import ResultsKeys
    from tea_runner.dataset.special_remote_policy import Storage
    from tea_runner.dataset.ssh_signature import Signer
    from tea_runner.dataset.verify_manifest_signatures import ManifestProofs
    from tea_runner.forge.cached_facts import CachedFacts
    from tea_runner.forge.registered_webhook_store import WebhookStore
    from tea_runner.ports.forge import Forge
    from tea_runner.settings.storage_and_secret_options import StorageOptions

log = logging.getLogger(__name__)


class DatasetSite(AccountsSite):
    """Forge, hooks and datasets of one process."""

    @cached_property
    def git(self) -> GitEnvironment:
        """Environment of git for repositories of the forge."""
        from tea_runner.dataset.git_environment import make_environment
        from tea_runner.host.proxy_and_certificates import certificate_variables, proxy_variables

        forge, bot = self.settings.forge, self.settings.bot
        folder, tools = forge.kind == "folder", tool_variables(self.variables)
        return make_environment(
            self.state_folder,
            path=tools["PATH"],
            magic=tools.get("MAGIC", ""),
            protocols=["file" if folder else urlsplit(forge.url).scheme],
            url="" if folder else forge.url,
            user=forge.user,
            token=forge.token.reveal(),
            name=bot.name,
            email=bot.email,
            addresses=self.settings.annex.allowed_addresses,
            strict_hashes=self.settings.annex.strict_hashes,
            gnupg_home=self.settings.annex.gnupg_home,
            certificates=self._certificates(),
            network={
                **proxy_variables(self.variables),
                **({} if forge.ca_file else certificate_variables(self.variables)),
            },
        )

    def _certificates(self) -> ForgeCertificates | None:
        """Those of the forge, where the settings name them.

        :raises SettingsError: when the file cannot be read.
        """
        from tea_runner.dataset.git_environment import ForgeCertificates
        from tea_runner.host.proxy_and_certificates import system_certificates

        file = self.settings.forge.ca_file
        if file is None:
            return None
        try:
            text = file.read_text() + "\n" + system_certificates(self.variables).read_text()
        except (OSError, UnicodeDecodeError) as error:
            source = self.settings.source("forge.ca_file")
            raise SettingsError(
                f"forge.ca_file = {file} (from {source}): cannot be read: {error}"
            ) from error
        return ForgeCertificates(file=file.resolve(), all=text)

    @cached_property
    def forge(self) -> Forge:
        """Client of the forge's API."""
        from tea_runner.forge.forge_kinds import make_forge

        return make_forge(self.settings.forge.kind, self._forge_connection())

    @cached_property
    def forge_facts(self) -> CachedFacts:
        """What the forge says of repositories, asked at most once a minute."""
        from tea_runner.forge.cached_facts import CachedFacts

        return CachedFacts(self.forge, self.state_folder / "forge-facts")

    def trusted_branches(self, repository: str, branch: str = "") -> Sequence[str]:
        """Patterns of a repository's trusted branches: those of the settings, else as the forge says.

        :param branch: the branch in question, which may be newer than the forge's last answer.
        :raises ForgeError: when the forge does not say it.
        """
        listed = self.settings.trusted_branches
        return listed or self.forge_facts.branch_protection(repository, branch).trusted

    def lacking_readers(self, dataset: str, repository: str) -> str:
        """Readers of *dataset* who may not read another repository, in words; empty when all may.

        :raises ForgeError: when the forge does not say it.
        """
        if dataset == repository:
            return ""
        facts = self.forge_facts
        return facts.audience(repository).lacks(facts.audience(dataset))

    def _shared_with(self, name: str) -> list[str]:
        """Repositories whose results a dataset may use: trusted, and open to all of its readers."""
        found = []
        for other in self._matching(self.settings.trusted_repositories):
            try:
                lacking = self.lacking_readers(name, other)
            except OutsideError as error:
                lacking = error.message
            if lacking:
                log.info(
                    "results of %s are not used: %s", other, lacking, extra={"repository": name}
                )
            else:
                found.append(other)
        return found

    @property
    def forge_base(self) -> str:
        """URL below which all repositories lie."""
        forge = self.settings.forge
        if forge.kind == "bitbucket":
            return f"{forge.url.rstrip('/')}/scm"
        return Path(forge.url).resolve().as_uri() if forge.kind == "folder" else forge.url

    @cached_property
    def other_addresses(self) -> Mapping[str, str]:
        """Addresses for which repositories of the forge stand.

        :raises SettingsError: for a malformed rule.
        """
        try:
            return parse_addresses(self.settings.forge.other_addresses)
        except ValueError as error:
            raise SettingsError(
                f"forge.other_addresses: {error} is no address and repository",
                hint="write ADDRESS=OWNER/NAME",
            ) from error

    @cached_property
    def webhooks(self) -> WebhookStore:
        """Webhooks through which deliveries are accepted."""
        from tea_runner.forge.registered_webhook_store import WebhookStore

        return WebhookStore(self.state_folder / "hooks")

    def watched(self) -> list[str]:
        """Repositories to process: those of the settings, else those that have a webhook."""
        return self._matching(self._watched_patterns())

    def is_watched(self, repository: str) -> bool:
        """Whether :meth:`watched` has this repository.

        The forge is asked, at most once a minute, whether it had another name before.
        """
        if not is_repository_name(repository):
            return False
        patterns = self._watched_patterns()
        return any(matches_repository(pattern, repository) for pattern in patterns) or any(
            self.current_name(pattern) == repository for pattern in patterns if "*" not in pattern
        )

    def current_name(self, repository: str) -> str:
        """The name that a repository has now; the given one where the forge does not say another."""
        try:
            return self.forge_facts.current_name(repository)[0]
        except ForgeError:
            return repository

    def _watched_patterns(self) -> Sequence[str]:
        return self.settings.repositories or [hook.repository for hook in self.webhooks.all()]

    def _matching(self, patterns: Sequence[str]) -> list[str]:
        """Names of the repositories that match, as they are now; the forge is asked for them."""
        wildcards = [pattern for pattern in patterns if "*" in pattern]
        listed = self.forge.repositories(wildcards) if wildcards else []
        named = (self.current_name(pattern) for pattern in patterns if "*" not in pattern)
        return sorted({*listed, *named})

    def repository(self, name: str, *, mirrors: str = "mirrors") -> ForgeDataset:
        """A dataset on the forge, with this host's mirror of it.

        :param mirrors: folder of the mirror, for a use that shares none with others.
        """
        from tea_runner.dataset.fetch_limits import FetchLimits
        from tea_runner.dataset.forge_dataset import ForgeDataset
        from tea_runner.dataset.forge_subdatasets import ForgeSubdatasets
        from tea_runner.dataset.mirror import FETCHED, Mirror, mirror_path
        from tea_runner.dataset.shared_results import SharedResults

        settings = self.settings
        path = mirror_path(self.state_folder / mirrors, name)
        limits = FetchLimits(size=settings.forge.max_fetch, refs=settings.forge.max_refs)
        shared = SharedResults(name, lambda: self._shared_with(name), self.repository)
        dataset = ForgeDataset(
            name,
            Mirror(path, self.forge.remote_url(name), self.git, limits),
            self.storages_of(name),
            trusted=functools.partial(self.trusted_branches, name),
            secret=self.secret,
            sign=self.signer,
            list_refs=functools.partial(self.forge.refs, name, *FETCHED),
            subdatasets=ForgeSubdatasets(
                name,
                self.forge_base,
                self.repository,
                allowed=settings.repositories,
                lacking=functools.partial(self.lacking_readers, name),
                addresses=self.other_addresses,
            ),
            shared_results=shared if settings.trusted_repositories else None,
            storage_conflict=functools.partial(self.storage_conflict, name),
            # Manifests that were signed under a former name are of this repository.
            proofs=self.proofs(
                lambda named: named in ("", name) or self.current_name(named) == name
            ),
            results_place=self._results_place(name),
            pull_refs=self.forge.pull_refs,
        )
        dataset.distinct_names = settings.outputs.names == "portable"
        return dataset

    def _results_place(self, repository: str) -> ResultsPlace:
        results = self.settings.results
        proposed = any(matches_repository(each, repository) for each in results.pull_requests)
        return "pull-request" if proposed else results.place

    def clone(self, start: Path) -> CloneDataset:
        """The dataset that contains a folder."""
        from tea_runner.dataset.local_clone import open_clone

        clone = open_clone(
            start, {**self.variables, **tool_variables(self.variables)}, self.proofs()
        )
        clone.results_place = self.settings.results.place
        clone.distinct_names = self.settings.outputs.names == "portable"
        clone.trusted_branches = self.settings.trusted_branches
        return clone

    @cached_property
    def results_keys(self) -> ResultsKeys:
        """The key that signs results, and those whose signatures count.

        :raises SettingsError: when a listed key is malformed.
        """
        from tea_runner.dataset.signing_keys import ResultsKeys

        settings = self.settings
        key = settings.trust.key or settings.state / "results_key"
        return ResultsKeys(key.expanduser(), self.variables, settings.trusted_signers)

    def proofs(self, is_here: Callable[[str], bool] = lambda _: True) -> ManifestProofs:
        """Decides which manifests of a dataset count.

        :param is_here: whether a repository that a signature names is this dataset.
        """
        from tea_runner.dataset.verify_manifest_signatures import ManifestProofs

        return ManifestProofs(None if self.settings.trust.unsigned else self.results_keys, is_here)

    def storages_of(self, repository: str) -> Sequence[Storage]:
        """Special remotes that the operator opened to a repository."""
        opened = {storage.name for storage in self.listed_storages(repository)}
        return [storage for storage in self.storages if storage.name in opened]

    def listed_storages(self, repository: str) -> Sequence[StorageOptions]:
        """Storages of the settings that the operator opened to a repository."""
        return [
            storage
            for storage in self.settings.storage
            if not storage.repositories
            or any(matches_repository(each, repository) for each in storage.repositories)
        ]

    def storage_users(self, storage: str) -> list[str]:
        """Repositories that have used a storage of this name on this host, by their names of now."""
        folder = self._storage_users(storage)
        names = map(unquote, os.listdir(folder)) if folder.exists() else ()
        return sorted({self.current_name(name) for name in names})

    def storage_conflict(self, repository: str, storage: str) -> str:
        """Why a repository may not use a storage that others use as well; empty when it may.

        The repository is kept as a user of the storage.

        :raises ForgeError: when the forge does not say who may read what.
        """
        for other in self.storage_users(storage):
            try:
                lacking = self.lacking_readers(repository, other)
                lacking = lacking or self.lacking_readers(other, repository)
            except ForgeError as error:
                if error.response_status != 404:
                    raise
                continue  # One of them does not exist any more.
            if lacking:
                return (
                    f"storage {storage} is used by {other} as well, and {repository} and {other} have "
                    f"different readers ({lacking}); give each a storage of its own, or write "
                    f"repositories into this [[storage]]"
                )
        folder = self._storage_users(storage)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / quote(repository, safe="")).touch()
        return ""

    def _storage_users(self, storage: str) -> Path:
        return self.state_folder / "storage-users" / storage

    @property
    def storages(self) -> Sequence[Storage]:
        """Special remotes for workers, with their secrets read from files."""
        from tea_runner.dataset.special_remote_policy import Storage

        return [
            Storage(
                name=storage.name,
                uuid=storage.uuid,
                type=storage.type,
                options=dict(storage.options),
                env={name: path.read_text().strip() for name, path in storage.env},
                listed=bool(storage.repositories),
            )
            for storage in self.settings.storage
        ]

    @property
    def author(self) -> str:
        """Author and committer of results commits."""
        return f"{self.settings.bot.name} <{self.settings.bot.email}>"

    @cached_property
    def signer(self) -> Signer | None:
        """Signer of results commits, where the settings name a key."""
        from tea_runner.dataset.ssh_signature import Signer

        key = self.settings.bot.signing_key
        return Signer(key, self.variables) if key else None
