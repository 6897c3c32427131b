"""The embedded forge: git over HTTP, deliveries and a small API, for people without a Gitea."""

from tea_runner.forge.embedded.manners import BadManners, Fault, Manners
from tea_runner.forge.embedded.server import EmbeddedForge

__all__ = ["BadManners", "EmbeddedForge", "Fault", "Manners"]
