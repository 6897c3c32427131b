"""GitHub's REST API (version 2022-11-28), as far as tea-runner uses it, after its documentation."""

from __future__ import annotations

from typing import Any

from tea_runner.forge.embedded.api import Reply
from tests.documented_forges.served import Asked, DocumentedForge, Refused

_ABOUT = r"/repos/([^/]+)/([^/]+)"
_STATES = ("error", "failure", "pending", "success")


class DocumentedGitHub(DocumentedForge):
    """An Enterprise Server."""

    prefix = "/api/v3"
    routes = (
        ("GET", "/meta", "meta"),
        ("GET", "/user", "user"),
        ("GET", "/user/repos", "repositories_of_user"),
        ("GET", r"/repositories/(\d+)", "by_number"),
        ("GET", _ABOUT, "repository"),
        ("GET", _ABOUT + "/branches", "branches"),
        ("GET", _ABOUT + "/branches/([^/]+)/protection", "protection"),
        ("GET", _ABOUT + "/rules/branches/([^/]+)", "rules"),
        ("GET", _ABOUT + "/collaborators", "collaborators"),
        ("GET", _ABOUT + "/hooks", "hooks"),
        ("POST", _ABOUT + "/hooks", "add_hook"),
        ("DELETE", _ABOUT + r"/hooks/(\d+)", "remove_hook"),
        ("POST", _ABOUT + r"/hooks/(\d+)/pings", "ping"),
        ("POST", _ABOUT + "/statuses/([0-9a-f]+)", "add_status"),
        ("GET", _ABOUT + "/commits/([0-9a-f]+)/statuses", "statuses"),
        ("GET", _ABOUT + "/pulls", "pulls"),
        ("POST", _ABOUT + "/pulls", "add_pull"),
        ("GET", _ABOUT + r"/pulls/(\d+)", "pull"),
        ("PATCH", _ABOUT + r"/pulls/(\d+)", "edit_pull"),
        ("GET", _ABOUT + r"/issues/(\d+)/comments", "comments"),
        ("POST", _ABOUT + r"/issues/(\d+)/comments", "add_comment"),
        ("PATCH", _ABOUT + r"/issues/comments/(\d+)", "edit_comment"),
    )

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        #: Former names of repositories to the new ones.
        self.moved: dict[str, str] = {}

    def _person(self, name: str) -> dict[str, Any]:
        return {"login": name, "id": sorted(self.tokens).index(name) + 1, "type": "User"}

    def meta(self, _: Asked) -> Reply:
        """Version of the server."""
        return Reply(
            status=200,
            body={"installed_version": "3.14.0", "verifiable_password_authentication": True},
        )

    def user(self, asked: Asked) -> Reply:
        """The user of the token."""
        return Reply(status=200, body={**self._person(asked.user), "name": None})

    def _described(self, name: str, user: str) -> dict[str, Any]:
        kept = self.kept[name]
        may = self.may(user, name)
        return {
            "id": self.number_of(name),
            "name": name.partition("/")[2],
            "full_name": name,
            "private": kept.private,
            "visibility": "private" if kept.private else "public",
            "owner": self._person(name.partition("/")[0]),
            "default_branch": self.default_branch(name),
            "permissions": {
                "admin": False,
                "push": may == "write",
                "pull": bool(may),
            },
        }

    def repositories_of_user(self, asked: Asked) -> Reply:
        """Those that the user owns or was invited to."""
        names = [name for name, kept in sorted(self.kept.items()) if asked.user in kept.users]
        rows = [self._described(name, asked.user) for name in names]
        return self.linked(rows, asked, "/api/v3/user/repos")

    def by_number(self, asked: Asked) -> Reply:
        """By the number that stays."""
        for name in self.kept:
            if str(self.number_of(name)) == asked.parts[0] and self.may(asked.user, name):
                return Reply(status=200, body=self._described(name, asked.user))
        raise Refused(404)

    def repository(self, asked: Asked) -> Reply:
        """One repository; a former name is redirected."""
        name = "/".join(asked.parts)
        if name in self.moved:
            number = self.number_of(self.moved[name])
            address = f"{self.url}{self.prefix}/repositories/{number}"
            return Reply(
                status=301,
                body={"message": "Moved Permanently", "url": address},
                headers={"Location": address},
            )
        self.readable(asked, *asked.parts)
        return Reply(status=200, body=self._described(name, asked.user))

    def _list(self, asked: Asked, rows: list[Any], last: str) -> Reply:
        path = f"{self.prefix}/repos/{asked.parts[0]}/{asked.parts[1]}{last}"
        return self.linked(rows, asked, path)

    def branches(self, asked: Asked) -> Reply:
        """With their commits; protected by whatever rule."""
        kept = self.readable(asked, *asked.parts)
        tips = self.tips("/".join(asked.parts))
        rows = [
            {"name": name, "commit": {"sha": tip, "url": ""}, "protected": name in kept.protected}
            for name, tip in tips.items()
        ]
        return self._list(asked, rows, "/branches")

    def protection(self, asked: Asked) -> Reply:
        """The protection of a branch, other than by rulesets."""
        said = self.readable(asked, *asked.parts[:2]).protected.get(asked.parts[2])
        if not isinstance(said, dict):
            raise Refused(404, "Branch not protected")
        return Reply(status=200, body={"url": "", **said})

    def rules(self, asked: Asked) -> Reply:
        """The rules of rulesets that apply to a branch."""
        said = self.readable(asked, *asked.parts[:2]).protected.get(asked.parts[2])
        rows = [{"type": each, "ruleset_id": 1} for each in said] if isinstance(said, list) else []
        return Reply(status=200, body=rows)

    def collaborators(self, asked: Asked) -> Reply:
        """Everybody with access, for those who may push."""
        kept = self.readable(asked, *asked.parts)
        if kept.users.get(asked.user) != "write":
            raise Refused(403, "Must have push access to view repository collaborators.")
        return self._list(asked, [self._person(name) for name in kept.users], "/collaborators")

    def hooks(self, asked: Asked) -> Reply:
        """All hooks; their secrets are hidden."""
        rows = list(self.readable(asked, *asked.parts).hooks.values())
        return self._list(asked, rows, "/hooks")

    def add_hook(self, asked: Asked) -> Reply:
        """A hook has the name "web"."""
        kept = self.readable(asked, *asked.parts)
        if asked.body["name"] != "web" or asked.body["config"]["content_type"] != "json":
            raise Refused(422, "Validation Failed")
        number = self.next_number()
        config = {**asked.body["config"], "secret": "********"}
        kept.hooks[number] = {"id": number, "type": "Repository", **asked.body, "config": config}
        return Reply(status=201, body=kept.hooks[number])

    def remove_hook(self, asked: Asked) -> Reply:
        """Once."""
        if self.readable(asked, *asked.parts[:2]).hooks.pop(int(asked.parts[2]), None) is None:
            raise Refused(404)
        return Reply(status=204)

    def ping(self, asked: Asked) -> Reply:
        """Send the event "ping"."""
        if int(asked.parts[2]) not in self.readable(asked, *asked.parts[:2]).hooks:
            raise Refused(404)
        self.tested.append((int(asked.parts[2]), "ping"))
        return Reply(status=204)

    def add_status(self, asked: Asked) -> Reply:
        """At most 140 characters, of a commit that is there."""
        kept = self.readable(asked, *asked.parts[:2])
        body, commit = asked.body, asked.parts[2]
        if (
            not self.has_commit("/".join(asked.parts[:2]), commit)
            or body["state"] not in _STATES
            or len(body["description"]) > 140
        ):
            raise Refused(422, f"No commit found for SHA: {commit}")
        kept.statuses.setdefault(commit, []).insert(0, {"id": self.next_number(), **body})
        return Reply(status=201, body=kept.statuses[commit][0])

    def statuses(self, asked: Asked) -> Reply:
        """All of a commit, the latest first."""
        kept = self.readable(asked, *asked.parts[:2])
        commit = asked.parts[2]
        if not self.has_commit("/".join(asked.parts[:2]), commit):
            raise Refused(422, f"No commit found for SHA: {commit}")
        return self._list(asked, kept.statuses.get(commit, []), f"/commits/{commit}/statuses")

    def _shown(self, asked: Asked, number: int) -> dict[str, Any]:
        name = "/".join(asked.parts[:2])
        row = self.kept[name].pulls[number]
        return {
            "number": number,
            "state": row["state"],
            "title": row["title"],
            "body": row["body"],
            "user": row["user"],
            "html_url": f"{self.url}/{name}/pull/{number}",
            "merged_at": None,
            "head": {
                "ref": row["head"],
                "sha": self.tips(name).get(row["head"], ""),
                "repo": self._described(name, asked.user),
            },
            "base": {"ref": row["base"], "sha": "", "repo": self._described(name, asked.user)},
        }

    def pulls(self, asked: Asked) -> Reply:
        """Open ones, or those of a state."""
        kept, state = self.readable(asked, *asked.parts), asked.query.get("state", "open")
        numbers = [number for number, row in kept.pulls.items() if row["state"] == state]
        rows = [self._shown(asked, number) for number in sorted(numbers, reverse=True)]
        return self._list(asked, rows, "/pulls")

    def add_pull(self, asked: Asked) -> Reply:
        """One at a time between two branches."""
        kept = self.readable(asked, *asked.parts)
        body = asked.body
        for row in kept.pulls.values():
            if (row["head"], row["base"], row["state"]) == (body["head"], body["base"], "open"):
                raise Refused(422, "Validation Failed")
        if not {body["head"], body["base"]} <= self.tips("/".join(asked.parts)).keys():
            raise Refused(422, "Validation Failed")
        number = self.next_number()
        kept.pulls[number] = {**body, "state": "open", "user": self._person(asked.user)}
        return Reply(status=201, body=self._shown(asked, number))

    def _pull(self, asked: Asked) -> dict[str, Any]:
        found = self.readable(asked, *asked.parts[:2]).pulls.get(int(asked.parts[2]))
        if found is None:
            raise Refused(404)
        return found

    def pull(self, asked: Asked) -> Reply:
        """One, open or closed."""
        self._pull(asked)
        return Reply(status=200, body=self._shown(asked, int(asked.parts[2])))

    def edit_pull(self, asked: Asked) -> Reply:
        """Title, text, state."""
        self._pull(asked).update(asked.body)
        return self.pull(asked)

    def comments(self, asked: Asked) -> Reply:
        """Of an issue or a pull request, the oldest first."""
        self._pull(asked)
        rows = self.readable(asked, *asked.parts[:2]).comments.get(int(asked.parts[2]), {})
        return self._list(asked, list(rows.values()), f"/issues/{asked.parts[2]}/comments")

    def add_comment(self, asked: Asked) -> Reply:
        """A comment of the user."""
        self._pull(asked)
        number = self.next_number()
        kept = self.readable(asked, *asked.parts[:2]).comments
        made = {"id": number, "body": asked.body["body"], "user": self._person(asked.user)}
        kept.setdefault(int(asked.parts[2]), {})[number] = made
        return Reply(status=201, body=made)

    def edit_comment(self, asked: Asked) -> Reply:
        """By its number alone."""
        for rows in self.readable(asked, *asked.parts[:2]).comments.values():
            if int(asked.parts[2]) in rows:
                rows[int(asked.parts[2])].update(asked.body)
                return Reply(status=200, body=rows[int(asked.parts[2])])
        raise Refused(404)
