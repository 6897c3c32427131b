"""Servers that answer as the documentation of forges says which cannot run in tests."""
