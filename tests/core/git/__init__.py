"""Tests of tea_runner/core/git."""
