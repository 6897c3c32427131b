"""GitLab's REST API (version 4), as far as tea-runner uses it, after its documentation."""

from __future__ import annotations

from typing import Any

from tea_runner.forge.embedded.api import Reply
from tests.documented_forges.served import Asked, DocumentedForge, Kept, Refused

_ABOUT = r"/projects/([^/]+)"
_REQUEST = _ABOUT + r"/merge_requests/(\d+)"
_LEVELS = {"": 0, "guest": 10, "read": 20, "write": 30}
_STATES = ("pending", "running", "success", "failed", "canceled", "skipped")


class DocumentedGitLab(DocumentedForge):
    """A self-managed GitLab."""

    prefix = "/api/v4"
    routes = (
        ("GET", "/version", "version"),
        ("GET", "/user", "user"),
        ("GET", "/projects", "projects"),
        ("GET", _ABOUT, "project"),
        ("GET", _ABOUT + "/repository/branches", "branches"),
        ("GET", _ABOUT + "/members/all", "members"),
        ("GET", _ABOUT + "/hooks", "hooks"),
        ("POST", _ABOUT + "/hooks", "add_hook"),
        ("DELETE", _ABOUT + r"/hooks/(\d+)", "remove_hook"),
        ("POST", _ABOUT + r"/hooks/(\d+)/test/([a-z_]+)", "test_hook"),
        ("POST", _ABOUT + "/statuses/([0-9a-f]+)", "add_status"),
        ("GET", _ABOUT + "/repository/commits/([0-9a-f]+)/statuses", "statuses"),
        ("GET", _ABOUT + "/merge_requests", "requests"),
        ("POST", _ABOUT + "/merge_requests", "add_request"),
        ("GET", _REQUEST, "request"),
        ("PUT", _REQUEST, "edit_request"),
        ("GET", _REQUEST + "/notes", "notes"),
        ("POST", _REQUEST + "/notes", "add_note"),
        ("PUT", _REQUEST + r"/notes/(\d+)", "edit_note"),
    )

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        #: Former names of projects to the new ones.
        self.moved: dict[str, str] = {}

    def _person(self, name: str) -> dict[str, Any]:
        number = sorted(self.tokens).index(name) + 1
        return {"id": number, "username": name, "name": name, "state": "active"}

    def _found(self, asked: Asked) -> tuple[str, Kept]:
        """A project by its number or its name, encoded in one part of the path."""
        wanted = self.moved.get(asked.parts[0], asked.parts[0])
        for name, kept in self.kept.items():
            if wanted in (name, str(self.number_of(name))) and self.may(asked.user, name):
                return name, kept
        raise Refused(404, "404 Project Not Found")

    def version(self, _: Asked) -> Reply:
        """Version and revision."""
        return Reply(status=200, body={"version": "17.5.1-ee", "revision": "c5bf5b5a8a4"})

    def user(self, asked: Asked) -> Reply:
        """The user of the token."""
        return Reply(status=200, body=self._person(asked.user))

    def _described(self, name: str, user: str) -> dict[str, Any]:
        kept = self.kept[name]
        role = kept.users.get(user)
        access = {"access_level": _LEVELS[role], "notification_level": 3} if role else None
        return {
            "id": self.number_of(name),
            "path": name.partition("/")[2],
            "path_with_namespace": name,
            "namespace": {"id": 7, "full_path": name.partition("/")[0], "kind": "user"},
            "visibility": "private" if kept.private else "public",
            "repository_access_level": kept.protected.get("code", "enabled"),
            "default_branch": self.default_branch(name) if self.tips(name) else None,
            "permissions": {"project_access": access, "group_access": None},
        }

    def projects(self, asked: Asked) -> Reply:
        """Those that the user is a member of, with ``membership``."""
        names = [
            name
            for name, kept in sorted(self.kept.items())
            if asked.user in kept.users or asked.query.get("membership") != "true"
        ]
        rows = [self._described(name, asked.user) for name in names]
        return self.linked(rows, asked, "/api/v4/projects")

    def project(self, asked: Asked) -> Reply:
        """One project; former names are followed."""
        name, _ = self._found(asked)
        return Reply(status=200, body=self._described(name, asked.user))

    def _list(self, asked: Asked, name: str, rows: list[Any], last: str) -> Reply:
        path = f"{self.prefix}/projects/{self.number_of(name)}{last}"
        return self.linked(rows, asked, path)

    def branches(self, asked: Asked) -> Reply:
        """With their commits; a project without any is not found."""
        name, kept = self._found(asked)
        tips = self.tips(name)
        if not tips:
            raise Refused(404, "404 Repository Not Found")
        rows = [
            {
                "name": branch,
                "commit": {"id": tip, "short_id": tip[:8]},
                "default": branch == self.default_branch(name),
                "protected": branch in kept.protected,
                "developers_can_push": kept.protected.get(branch, "all") == "all",
                "can_push": True,
            }
            for branch, tip in tips.items()
        ]
        return self._list(asked, name, rows, "/repository/branches")

    def members(self, asked: Asked) -> Reply:
        """Of the project and of the groups above it."""
        name, kept = self._found(asked)
        rows = [
            {**self._person(user), "access_level": _LEVELS[role]}
            for user, role in kept.users.items()
        ]
        return self._list(asked, name, rows, "/members/all")

    def hooks(self, asked: Asked) -> Reply:
        """All hooks, without tokens."""
        name, kept = self._found(asked)
        return self._list(asked, name, list(kept.hooks.values()), "/hooks")

    def add_hook(self, asked: Asked) -> Reply:
        """For the events that are asked for."""
        _, kept = self._found(asked)
        number = self.next_number()
        shown = {name: value for name, value in asked.body.items() if name != "token"}
        kept.hooks[number] = {
            "id": number,
            "tag_push_events": False,
            "alert_status": "executable",
            **shown,
        }
        return Reply(status=201, body=kept.hooks[number])

    def remove_hook(self, asked: Asked) -> Reply:
        """Once."""
        _, kept = self._found(asked)
        if kept.hooks.pop(int(asked.parts[1]), None) is None:
            raise Refused(404, "404 Not found")
        return Reply(status=204)

    def test_hook(self, asked: Asked) -> Reply:
        """Send a test of an event, whatever the hook asked for."""
        _, kept = self._found(asked)
        if int(asked.parts[1]) not in kept.hooks:
            raise Refused(404, "404 Not found")
        self.tested.append((int(asked.parts[1]), asked.parts[2]))
        return Reply(status=201, body={"message": "201 Created"})

    def add_status(self, asked: Asked) -> Reply:
        """Of a commit that is there; the state has to be another one."""
        name, kept = self._found(asked)
        body, commit = asked.body, asked.parts[1]
        if not self.has_commit(name, commit):
            raise Refused(404, "404 Commit Not Found")
        if body["state"] not in _STATES or len(body["description"]) > 255:
            raise Refused(400, "state does not have a valid value")
        rows = kept.statuses.setdefault(commit, [])
        for row in rows:
            if row["name"] == body["name"] and row["status"] == body["state"] == "pending":
                raise Refused(400, "Cannot transition status via :enqueue from :pending")
        rows[:] = [row for row in rows if row["name"] != body["name"]]
        made = {"id": self.next_number(), "sha": commit, "status": body["state"], **body}
        rows.insert(0, made)
        return Reply(status=201, body=made)

    def statuses(self, asked: Asked) -> Reply:
        """The latest of each name."""
        name, kept = self._found(asked)
        commit = asked.parts[1]
        if not self.has_commit(name, commit):
            raise Refused(404, "404 Commit Not Found")
        rows = kept.statuses.get(commit, [])
        return self._list(asked, name, rows, f"/repository/commits/{commit}/statuses")

    def _shown(self, name: str, number: int) -> dict[str, Any]:
        row = self.kept[name].pulls[number]
        project = self.number_of(name)
        return {
            "id": 9000 + number,
            "iid": number,
            "project_id": project,
            "source_project_id": project,
            "target_project_id": project,
            "title": row["title"],
            "description": row["description"],
            "state": row["state"],
            "author": row["author"],
            "sha": self.tips(name).get(row["source_branch"], ""),
            "source_branch": row["source_branch"],
            "target_branch": row["target_branch"],
            "web_url": f"{self.url}/{name}/-/merge_requests/{number}",
            "updated_at": "2026-05-15T15:20:41.000Z",
        }

    def requests(self, asked: Asked) -> Reply:
        """Those of a state, the newest first."""
        name, kept = self._found(asked)
        state = asked.query.get("state", "all")
        numbers = [number for number, row in kept.pulls.items() if row["state"] == state]
        rows = [self._shown(name, number) for number in sorted(numbers, reverse=True)]
        return self._list(asked, name, rows, "/merge_requests")

    def add_request(self, asked: Asked) -> Reply:
        """One at a time between two branches."""
        name, kept = self._found(asked)
        body = asked.body
        for row in kept.pulls.values():
            same = (row["source_branch"], row["state"]) == (body["source_branch"], "opened")
            if same and row["target_branch"] == body["target_branch"]:
                raise Refused(409, "Another open merge request already exists")
        number = self.next_number()
        kept.pulls[number] = {**body, "state": "opened", "author": self._person(asked.user)}
        return Reply(status=201, body=self._shown(name, number))

    def _request(self, asked: Asked) -> tuple[str, int]:
        name, kept = self._found(asked)
        if int(asked.parts[1]) not in kept.pulls:
            raise Refused(404, "404 Not found")
        return name, int(asked.parts[1])

    def request(self, asked: Asked) -> Reply:
        """One, open or not."""
        return Reply(status=200, body=self._shown(*self._request(asked)))

    def edit_request(self, asked: Asked) -> Reply:
        """Title, description, and an event of the state."""
        name, number = self._request(asked)
        fields = dict(asked.body)
        if fields.pop("state_event", "") == "close":
            fields["state"] = "closed"
        self.kept[name].pulls[number].update(fields)
        return Reply(status=200, body=self._shown(name, number))

    def notes(self, asked: Asked) -> Reply:
        """Of a merge request, sorted."""
        name, number = self._request(asked)
        rows = list(self.kept[name].comments.get(number, {}).values())
        if asked.query.get("sort") != "asc":
            rows.reverse()
        return self._list(asked, name, rows, f"/merge_requests/{number}/notes")

    def add_note(self, asked: Asked) -> Reply:
        """A note of the user."""
        name, number = self._request(asked)
        made = {
            "id": self.next_number(),
            "body": asked.body["body"],
            "author": self._person(asked.user),
            "system": False,
        }
        self.kept[name].comments.setdefault(number, {})[made["id"]] = made
        return Reply(status=201, body=made)

    def edit_note(self, asked: Asked) -> Reply:
        """By its number."""
        name, number = self._request(asked)
        found = self.kept[name].comments.get(number, {}).get(int(asked.parts[2]))
        if found is None:
            raise Refused(404, "404 Not found")
        found.update(asked.body)
        return Reply(status=200, body=found)
