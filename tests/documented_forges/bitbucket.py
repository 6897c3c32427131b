"""Bitbucket Data Center's REST API, as far as tea-runner uses it, after its documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tea_runner.forge.embedded.api import Reply
from tests.documented_forges.served import PAGE, Asked, DocumentedForge, Kept, Refused

_PART = r"/projects/([^/]+)/repos/([^/]+)"
_ABOUT = "/api/1.0" + _PART
_REQUEST = _ABOUT + r"/pull-requests/(\d+)"
_STATES = ("SUCCESSFUL", "FAILED", "INPROGRESS")


class DocumentedBitbucket(DocumentedForge):
    """A Data Center of version 8."""

    prefix = "/rest"
    routes = (
        ("GET", "/api/1.0/application-properties", "properties"),
        ("GET", "/api/1.0/users", "users"),
        ("GET", "/api/1.0/repos", "repositories_seen"),
        ("GET", _ABOUT, "repository"),
        ("GET", _ABOUT + "/branches", "branches"),
        ("GET", "/branch-permissions/2.0" + _PART + "/restrictions", "restrictions"),
        ("GET", _ABOUT + "/webhooks", "hooks"),
        ("POST", _ABOUT + "/webhooks", "add_hook"),
        ("POST", _ABOUT + "/webhooks/test", "test_hook"),
        ("DELETE", _ABOUT + r"/webhooks/(\d+)", "remove_hook"),
        ("POST", _ABOUT + "/commits/([0-9a-f]+)/builds", "add_build"),
        ("GET", "/build-status/1.0/commits/([0-9a-f]+)", "builds"),
        ("GET", _ABOUT + "/pull-requests", "requests"),
        ("POST", _ABOUT + "/pull-requests", "add_request"),
        ("GET", _REQUEST, "request"),
        ("PUT", _REQUEST, "edit_request"),
        ("POST", _REQUEST + "/decline", "decline"),
        ("GET", _REQUEST + "/activities", "activities"),
        ("POST", _REQUEST + "/comments", "add_comment"),
        ("GET", _REQUEST + r"/comments/(\d+)", "comment"),
        ("PUT", _REQUEST + r"/comments/(\d+)", "edit_comment"),
    )

    def error(self, message: str) -> Any:
        """A list of errors."""
        return {"errors": [{"context": None, "message": message, "exceptionName": "x"}]}

    def decorate(self, reply: Reply, user: str) -> Reply:
        """Whose request it was."""
        return Reply(
            status=reply.status, body=reply.body, headers={**reply.headers, "X-AUSERNAME": user}
        )

    def _person(self, name: str) -> dict[str, Any]:
        number = sorted(self.tokens).index(name) + 1
        return {"name": name, "id": number, "slug": name, "active": True, "type": "NORMAL"}

    def _list(self, asked: Asked, rows: Sequence[Any]) -> Reply:
        start = int(asked.query.get("start", "0"))
        size = min(PAGE, int(asked.query.get("limit", "25")))
        last = start + size >= len(rows)
        page = {
            "size": len(rows[start : start + size]),
            "limit": size,
            "isLastPage": last,
            "values": list(rows[start : start + size]),
            "start": start,
            "nextPageStart": None if last else start + size,
        }
        return Reply(status=200, body=page)

    def properties(self, _: Asked) -> Reply:
        """Version of the program."""
        return Reply(status=200, body={"version": "8.19.10", "displayName": "Bitbucket"})

    def users(self, asked: Asked) -> Reply:
        """All, or those who have a permission in a repository."""
        number = asked.query.get("permission.1.repositoryId")
        names = list(self.tokens)
        if number is not None:
            assert asked.query["permission.1"] == "REPO_READ"
            names = [
                user
                for name, kept in self.kept.items()
                if str(self.number_of(name)) == number
                for user in kept.users
            ]
        return self._list(asked, [self._person(name) for name in names])

    def _described(self, name: str) -> dict[str, Any]:
        key, _, slug = name.partition("/")
        return {
            "slug": slug,
            "id": self.number_of(name),
            "name": slug,
            "state": "AVAILABLE",
            "public": not self.kept[name].private,
            "project": {"key": key, "id": 2, "public": False, "type": "NORMAL"},
        }

    def repositories_seen(self, asked: Asked) -> Reply:
        """Those that the user has a permission for."""
        wanted = {"REPO_WRITE": ("write",)}.get(
            asked.query.get("permission", ""), ("read", "write")
        )
        names = [name for name in sorted(self.kept) if self.may(asked.user, name) in wanted]
        return self._list(asked, [self._described(name) for name in names])

    def _found(self, asked: Asked) -> tuple[str, Kept]:
        name = "/".join(asked.parts[:2])
        if not self.may(asked.user, name):
            raise Refused(404, f"Repository {name} does not exist.")
        return name, self.kept[name]

    def repository(self, asked: Asked) -> Reply:
        """One repository."""
        return Reply(status=200, body=self._described(self._found(asked)[0]))

    def branches(self, asked: Asked) -> Reply:
        """With their commits."""
        name, _ = self._found(asked)
        rows = [
            {
                "id": f"refs/heads/{branch}",
                "displayId": branch,
                "type": "BRANCH",
                "latestCommit": tip,
                "isDefault": branch == self.default_branch(name),
            }
            for branch, tip in self.tips(name).items()
        ]
        return self._list(asked, rows)

    def restrictions(self, asked: Asked) -> Reply:
        """For administrators of the repository."""
        _, kept = self._found(asked)
        if kept.protected.get("") == "hidden":
            raise Refused(401, "You are not permitted to access this resource")
        rows = [
            {"id": 1, "type": kind, "matcher": {"id": place, "type": {"id": sort}}}
            for place, (sort, kind) in kept.protected.items()
        ]
        return self._list(asked, rows)

    def hooks(self, asked: Asked) -> Reply:
        """All hooks."""
        return self._list(asked, list(self._found(asked)[1].hooks.values()))

    def add_hook(self, asked: Asked) -> Reply:
        """With a name, events and a configuration."""
        _, kept = self._found(asked)
        number = self.next_number()
        kept.hooks[number] = {"id": number, "createdDate": 1513106011000, **asked.body}
        assert asked.body["configuration"].pop("secret")
        return Reply(status=201, body=kept.hooks[number])

    def test_hook(self, asked: Asked) -> Reply:
        """Send the event "diagnostics:ping" to an address."""
        _, kept = self._found(asked)
        number = int(asked.query["webhookId"])
        assert kept.hooks[number]["url"] == asked.query["url"]
        self.tested.append((number, "diagnostics:ping"))
        return Reply(status=200, body={"request": {}, "response": {"statusCode": 202}})

    def remove_hook(self, asked: Asked) -> Reply:
        """Once."""
        if self._found(asked)[1].hooks.pop(int(asked.parts[2]), None) is None:
            raise Refused(404, "The webhook does not exist.")
        return Reply(status=204)

    def add_build(self, asked: Asked) -> Reply:
        """Of a commit that is there; the last one of a key counts."""
        name, kept = self._found(asked)
        body, commit = asked.body, asked.parts[2]
        if not self.has_commit(name, commit):
            raise Refused(404, f"Commit {commit} does not exist in repository {name}.")
        if body["state"] not in _STATES or len(body["description"]) > 255 or not body["url"]:
            raise Refused(400, "The build status is not valid.")
        rows = kept.statuses.setdefault(commit, [])
        rows[:] = [body, *(row for row in rows if row["key"] != body["key"])]
        return Reply(status=204)

    def builds(self, asked: Asked) -> Reply:
        """Of a commit, in whatever repository it is."""
        rows = [row for kept in self.kept.values() for row in kept.statuses.get(asked.parts[0], [])]
        return self._list(asked, rows)

    def _shown(self, name: str, number: int) -> dict[str, Any]:
        row = self.kept[name].pulls[number]
        head, base = row["fromRef"]["id"], row["toRef"]["id"]
        address = f"{self.url}/projects/x/repos/y/pull-requests/{number}"
        return {
            "id": number,
            "version": row["version"],
            "title": row["title"],
            "description": row["description"],
            "state": row["state"],
            "updatedDate": number,
            "author": {"user": self._person(row["author"]), "role": "AUTHOR"},
            "reviewers": row["reviewers"],
            "fromRef": {
                "id": head,
                "latestCommit": self.tips(name).get(head.removeprefix("refs/heads/"), ""),
                "repository": self._described(name),
            },
            "toRef": {"id": base, "repository": self._described(name)},
            "links": {"self": [{"href": address}]},
        }

    def requests(self, asked: Asked) -> Reply:
        """Those of a state, the newest first."""
        name, kept = self._found(asked)
        state = asked.query.get("state", "OPEN")
        numbers = [number for number, row in kept.pulls.items() if row["state"] == state]
        rows = [self._shown(name, number) for number in sorted(numbers, reverse=True)]
        return self._list(asked, rows)

    def add_request(self, asked: Asked) -> Reply:
        """One at a time between two branches."""
        name, kept = self._found(asked)
        body = asked.body
        for row in kept.pulls.values():
            if row["state"] == "OPEN" and row["fromRef"] == body["fromRef"]:
                raise Refused(409, "Only one pull request may be open")
        number = self.next_number()
        made = {"state": "OPEN", "version": 0, "author": asked.user, "reviewers": []}
        kept.pulls[number] = {**body, **made}
        return Reply(status=201, body=self._shown(name, number))

    def _request(self, asked: Asked) -> tuple[str, int]:
        name, kept = self._found(asked)
        if int(asked.parts[2]) not in kept.pulls:
            raise Refused(404, "The pull request does not exist.")
        return name, int(asked.parts[2])

    def request(self, asked: Asked) -> Reply:
        """One, open or not."""
        return Reply(status=200, body=self._shown(*self._request(asked)))

    def edit_request(self, asked: Asked) -> Reply:
        """Of the version that is there; reviewers that are not named go."""
        name, number = self._request(asked)
        row = self.kept[name].pulls[number]
        if asked.body["version"] != row["version"] or row["state"] != "OPEN":
            raise Refused(409, "You are attempting to modify a pull request that has changed")
        row.update({"reviewers": [], **asked.body, "version": row["version"] + 1})
        return Reply(status=200, body=self._shown(name, number))

    def decline(self, asked: Asked) -> Reply:
        """Of the version that is there."""
        name, number = self._request(asked)
        row = self.kept[name].pulls[number]
        if int(asked.query["version"]) != row["version"]:
            raise Refused(409, "You are attempting to modify a pull request that has changed")
        row.update(state="DECLINED", version=row["version"] + 1)
        return Reply(status=200, body=self._shown(name, number))

    def activities(self, asked: Asked) -> Reply:
        """Comments among others, the newest first."""
        name, number = self._request(asked)
        rows = [
            {"id": each, "action": "COMMENTED", "commentAction": "ADDED", "comment": said}
            for each, said in self.kept[name].comments.get(number, {}).items()
        ]
        opened = {"id": 0, "action": "OPENED", "user": self._person("ada")}
        return self._list(asked, [*reversed(rows), opened])

    def add_comment(self, asked: Asked) -> Reply:
        """A comment of the user."""
        name, number = self._request(asked)
        made = {
            "id": self.next_number(),
            "version": 0,
            "text": asked.body["text"],
            "author": self._person(asked.user),
        }
        self.kept[name].comments.setdefault(number, {})[made["id"]] = made
        return Reply(status=201, body=made)

    def comment(self, asked: Asked) -> Reply:
        """By its number."""
        name, number = self._request(asked)
        found = self.kept[name].comments.get(number, {}).get(int(asked.parts[3]))
        if found is None:
            raise Refused(404, "The comment does not exist.")
        return Reply(status=200, body=found)

    def edit_comment(self, asked: Asked) -> Reply:
        """Of the version that is there."""
        found = self.comment(asked).body
        if asked.body["version"] != found["version"]:
            raise Refused(409, "You are attempting to modify a comment that has changed")
        found.update(text=asked.body["text"], version=found["version"] + 1)
        return Reply(status=200, body=found)
