"""A forge in memory: repositories, branches, commit statuses, hooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tea_runner.core.deliveries.registered_webhook import ListedWebhook, matches_repository
from tea_runner.core.errors import ForgeError
from tea_runner.core.git.existing_and_protected_branches import BranchProtection
from tea_runner.core.git.pull_request import PULL_HEADS, ListedPullRequest
from tea_runner.core.repository_visibility import Audience
from tea_runner.ports import CommitStatusState

#: Longest description that forges keep (Gitea).
_LONGEST = 255


@dataclass
class _Repository:
    number: int
    default: str = "main"
    refs: dict[str, str] = field(default_factory=dict)
    protected: frozenset[str] = frozenset()
    pulls: list[ListedPullRequest] = field(default_factory=list)
    audience: Audience = Audience(visibility="public")  # noqa: RUF009 - frozen
    statuses: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    hooks: dict[str, ListedWebhook] = field(default_factory=dict)
    comments: dict[int, dict[str, str]] = field(default_factory=dict)


class MemoryForge:
    """Forge whose state is this object; *reachable* says whether it answers."""

    pull_refs = PULL_HEADS

    def __init__(self) -> None:
        self.reachable = True
        #: Every status that was set, in order: repository, commit, state, description.
        self.calls: list[tuple[str, str, str, str]] = []
        #: Webhooks that were tested.
        self.tested: list[str] = []
        self._repositories: dict[str, _Repository] = {}
        self._number = 0

    def create(self, repository: str) -> None:
        """Make an empty repository."""
        self._repositories[repository] = _Repository(self._next())

    def push(self, repository: str, refs: Mapping[str, str]) -> None:
        """Set refs of a repository."""
        self._repository(repository).refs.update(refs)

    def protect(self, repository: str, *branches: str) -> None:
        """Protect these branches and no others."""
        self._repository(repository).protected = frozenset(branches)

    def show(self, repository: str, audience: Audience) -> None:
        """Let these read a repository and nobody else."""
        self._repository(repository).audience = audience

    def remove(self, repository: str) -> None:
        """Remove a repository."""
        del self._repositories[repository]

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _repository(self, name: str) -> _Repository:
        if not self.reachable:
            raise ForgeError("the forge does not answer")
        if name not in self._repositories:
            raise ForgeError(f"there is no such repository: {name}", 404)
        return self._repositories[name]

    def remote_url(self, repository: str) -> str:
        """An address below ``memory://``."""
        return f"memory://forge/{repository}.git"

    def repositories(self, patterns: Sequence[str]) -> Sequence[str]:
        """Repositories that the patterns name, sorted."""
        if not self.reachable:
            raise ForgeError("the forge does not answer")
        return sorted(
            name
            for name in self._repositories
            if any(matches_repository(each, name) for each in patterns)
        )

    def repository_id(self, repository: str) -> int | None:
        """A number that is not used again."""
        return self._repository(repository).number

    def branches(self, repository: str) -> Mapping[str, str]:
        """Branches and their tips."""
        refs = self._repository(repository).refs
        start = "refs/heads/"
        return {ref[len(start) :]: oid for ref, oid in refs.items() if ref.startswith(start)}

    def refs(self, repository: str, *prefixes: str) -> Mapping[str, str] | None:
        """Refs below the prefixes; None for an unknown repository."""
        if not self.reachable or repository not in self._repositories:
            return None
        refs = self._repositories[repository].refs
        return {ref: oid for ref, oid in refs.items() if ref.startswith(prefixes)}

    def current_name(self, repository: str) -> tuple[str, int | None]:
        """The name itself: nothing is renamed here."""
        return repository, self.repository_id(repository)

    def branch_protection(self, repository: str) -> BranchProtection:
        """The default branch and the branches that were protected."""
        found = self._repository(repository)
        branches = frozenset(self.branches(repository))
        protected = found.protected & branches
        return BranchProtection(default=found.default, branches=branches, protected=protected)

    def audience(self, repository: str) -> Audience:
        """Everybody, unless a test said otherwise."""
        return self._repository(repository).audience

    def pull_requests(
        self, repository: str, *, closed: bool = False
    ) -> Sequence[ListedPullRequest]:
        """Those that a test or :meth:`open_pull_request` proposed."""
        pulls = self._repository(repository).pulls[::-1]
        return [pull for pull in pulls if (pull.state != "open") == closed]

    def pull_request(self, repository: str, number: int) -> ListedPullRequest | None:
        """One of them."""
        pulls = self._repository(repository).pulls
        return next((pull for pull in pulls if pull.number == number), None)

    def open_pull_request(
        self, repository: str, *, head: str, base: str, title: str, text: str
    ) -> ListedPullRequest | None:
        """Open one; a second one of the same branches is declined."""
        found = self._repository(repository)
        if any(
            (each.branch, each.target) == (head, base) for each in self.pull_requests(repository)
        ):
            raise ForgeError("pull request already exists for these targets", 409)
        made = ListedPullRequest(
            number=self._next(),
            title=title,
            author="bot",
            url=f"memory://forge/{repository}/pulls",
            text=text,
            commit=self.branches(repository)[head],
            branch=head,
            source=repository,
            target=base,
            own=True,
        )
        found.pulls.append(made)
        return made

    def edit_pull_request(
        self, repository: str, number: int, *, title: str, text: str, close: bool = False
    ) -> None:
        """Replace it."""
        pulls = self._repository(repository).pulls
        found = self.pull_request(repository, number)
        if found is None:
            raise ForgeError(f"there is no pull request {number}", 404)
        pulls[pulls.index(found)] = replace(
            found, title=title, text=text, state="closed" if close else found.state
        )

    def write_comment(
        self, repository: str, number: int, text: str, *, marker: str, comment: str = ""
    ) -> str:
        """Keep the texts of comments by their ids; all are the bot's."""
        if self.pull_request(repository, number) is None:
            return ""
        kept = self._repository(repository).comments.setdefault(number, {})
        known = [name for name, said in kept.items() if said.startswith(marker)]
        name = comment if comment in kept else known[0] if known else str(self._next())
        kept[name] = text
        return name

    def set_commit_status(
        self,
        repository: str,
        commit: str,
        state: CommitStatusState,
        *,
        description: str,
        context: str,
        target_url: str = "",
    ) -> None:
        """Keep the latest status of a context; the commit must have been pushed."""
        found = self._repository(repository)
        if commit not in found.refs.values():
            raise ForgeError(f"{commit} is no commit of {repository}", 500)
        self.calls.append((repository, commit, state, description))
        row = (state, description[:_LONGEST])
        found.statuses.setdefault(commit, {})[context] = row

    def commit_statuses(self, repository: str, commit: str) -> Mapping[str, tuple[str, str]]:
        """The latest status of each context."""
        return dict(self._repository(repository).statuses.get(commit, {}))

    def add_webhook(self, repository: str, *, url: str, secret: str) -> str:
        """Add an active hook."""
        found, name = self._repository(repository), str(self._next())
        found.hooks[name] = ListedWebhook(id=name, url=url)
        return name

    def webhooks(self, repository: str) -> Sequence[ListedWebhook]:
        """All hooks."""
        return list(self._repository(repository).hooks.values())

    def test_webhook(self, repository: str, hook: str) -> None:
        """Note that a hook was tested."""
        if hook not in self._repository(repository).hooks:
            raise ForgeError(f"there is no hook {hook}", 404)
        self.tested.append(hook)

    def remove_webhook(self, repository: str, hook: str) -> None:
        """Remove a hook if there is one."""
        self._repository(repository).hooks.pop(hook, None)

    def check(self) -> Sequence[str]:
        """A sentence when the forge does not answer."""
        return [] if self.reachable else ["the forge does not answer; see that it runs"]
