"""A folder in, what the verbs of a dataset work with out: the clone, its tip, its plan."""

from __future__ import annotations

from dataclasses import dataclass

from tea_runner.adapters.clone import Clone
from tea_runner.cli.main import Context
from tea_runner.core.errors import NotFound
from tea_runner.flow.advance import Advancer
from tea_runner.flow.local import LocalQueue
from tea_runner.flow.planning import Planned, make_plan
from tea_runner.flow.tip import Memory, Tip


@dataclass
class Session:
    """One dataset, seen from its folder."""

    context: Context
    clone: Clone
    queue: LocalQueue
    memory: Memory

    def tip(self, at: str = "HEAD") -> Tip:
        """The commit that *at* names.

        :raises NotFound: when it names none.
        """
        mirror = self.clone.mirror
        raw = mirror.git(
            "rev-parse", "-q", "--verify", "--end-of-options", f"{at}^{{commit}}", check=False
        )
        commit = raw.decode().strip()
        if not commit:
            what = "this dataset has no commit yet" if at == "HEAD" else f"there is no commit {at}"
            raise NotFound(what)
        return Tip(self.clone.objects, commit, self.memory)

    def plan(self, at: str = "HEAD", only: tuple[str, ...] = ()) -> Planned:
        """What the commit means."""
        return make_plan(
            self.clone,
            self.tip(at),
            failures=lambda keys: self.queue.failures("", keys),
            only=only,
        )

    def advancer(self, only: tuple[str, ...] = ()) -> Advancer:
        """Carries plans out, here."""
        return Advancer(
            dataset=self.clone,
            queue=self.queue,
            who=self.context.site.who,
            memory=self.memory,
            only=only,
        )


def open_session(context: Context) -> Session:
    """The dataset that the command line works in.

    :raises NotFound: when it works in none.
    """
    return Session(context, context.site.clone(context.directory), LocalQueue(), Memory())


def check_names(planned: Planned, names: tuple[str, ...]) -> None:
    """See that each name is a pipeline's.

    :raises NotFound: with the nearest name that is.
    """
    import difflib

    known = [pipeline.name for pipeline in planned.tip.pipelines]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise NotFound(
                f"there is no pipeline {name}" + (f"; did you mean {near[0]}?" if near else "")
            )
