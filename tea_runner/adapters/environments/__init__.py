"""Environments: where a command runs, one file per kind."""
