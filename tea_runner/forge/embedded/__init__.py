"""Embedded forge: git over HTTP, webhooks and a part of Gitea's API, for use without a Gitea."""

from tea_runner.forge.embedded.server import EmbeddedForge

__all__ = ["EmbeddedForge"]
