"""Protocols of the outside things that `flow` uses, each method with the errors that it may raise.

:mod:`~tea_runner.ports.dataset` and :mod:`~tea_runner.ports.git_objects` are git and git-annex,
:mod:`~tea_runner.ports.queue` is Redis,
:mod:`~tea_runner.ports.forge` and :mod:`~tea_runner.ports.accounts` are Gitea, Forgejo or a folder of
repositories,
:mod:`~tea_runner.ports.event_spool` is the spool of events,
:mod:`~tea_runner.ports.images` are registries and container engines.

An implementation raises what its method lists and nothing else; an error of a library becomes one of
:mod:`tea_runner.core.errors`, with its cause.
"""

from tea_runner.ports.accounts import ForgeAccounts, ForgeSignIn, Grant, SignInRequest
from tea_runner.ports.dataset import Dataset, RefUpdate, Subdataset, Subdatasets
from tea_runner.ports.event_spool import EventSpool
from tea_runner.ports.forge import CommitStatusState, Forge
from tea_runner.ports.git_objects import CommitFacts, Objects, TreeStore
from tea_runner.ports.images import Images
from tea_runner.ports.queue import (
    Failure,
    JobQueue,
    MissingContent,
    PlanRequests,
    PublicationCounts,
    RecomputeRequests,
)

__all__ = [
    "CommitFacts",
    "CommitStatusState",
    "Dataset",
    "EventSpool",
    "Failure",
    "Forge",
    "ForgeAccounts",
    "ForgeSignIn",
    "Grant",
    "Images",
    "JobQueue",
    "MissingContent",
    "Objects",
    "PlanRequests",
    "PublicationCounts",
    "RecomputeRequests",
    "RefUpdate",
    "SignInRequest",
    "Subdataset",
    "Subdatasets",
    "TreeStore",
]
