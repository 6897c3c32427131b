"""The engine of the tests beside this file."""

from tests.image.engine import engine

__all__ = ["engine"]
