"""Environments: one conformance suite, and what is particular to each."""
