"""Tests with hostile input, kept as data with the expected answers."""
