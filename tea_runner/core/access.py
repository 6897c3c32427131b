"""Who may see and do what, on the pages and in the API: one decision for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class AccessLevel(IntEnum):
    """What an account may do in a repository, as the forge says."""

    NONE = 0
    READ = 1
    WRITE = 2


class Requirement(Enum):
    """What a route asks of whoever requests it."""

    #: Nothing: it shows nothing of any repository, or examines its requests itself.
    NOTHING = "nothing"
    #: An account, unless there is something for everybody: it lists what the viewer may read only.
    LIST = "list"
    #: An account.
    ACCOUNT = "account"
    #: To read the repository that it is about.
    READ = "read"
    #: To write to the repository that it is about.
    WRITE = "write"
    #: To operate this server.
    OPERATOR = "operator"
    #: To operate this server, or the token of the metrics.
    METRICS = "metrics"


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who makes a request.

    :param name: the account on the forge; empty for a stranger, and for the holder of a token of this server.
    :param is_operator: may see and do everything.
    :param is_monitor: may read the metrics.
    """

    name: str = ""
    is_operator: bool = False
    is_monitor: bool = False

    @property
    def is_known(self) -> bool:
        """Whether this is an account, or an operator."""
        return bool(self.name) or self.is_operator


STRANGER = Viewer()

#: How credentials begin that people made on a page here, so that no forge is asked for them.
MADE_HERE = "tea_"


def level_in(viewer: Viewer, forge_says: AccessLevel, *, is_public: bool) -> AccessLevel:
    """What a viewer may do in a repository.

    :param forge_says: what the forge lets the account do there; NONE for strangers.
    :param is_public: whether the operator shows the repository to everybody.
    """
    if viewer.is_operator:
        return AccessLevel.WRITE
    return max(
        forge_says if viewer.name else AccessLevel.NONE,
        AccessLevel.READ if is_public else AccessLevel.NONE,
    )


def is_allowed(
    requirement: Requirement,
    viewer: Viewer,
    level: AccessLevel = AccessLevel.NONE,
    *,
    shows_strangers: bool = False,
) -> bool:
    """Whether a request is answered; what is not known for sure is refused.

    :param level: of :func:`level_in`, for the repository that the route is about.
    :param shows_strangers: whether there are repositories that everybody may see.
    """
    if viewer.is_operator:
        return True
    return {
        Requirement.NOTHING: True,
        Requirement.LIST: viewer.is_known or shows_strangers,
        Requirement.ACCOUNT: viewer.is_known,
        Requirement.READ: level >= AccessLevel.READ,
        Requirement.WRITE: level >= AccessLevel.WRITE and viewer.is_known,
        Requirement.OPERATOR: False,
        Requirement.METRICS: viewer.is_monitor,
    }[requirement]
