"""Pachyderm's glob language."""
