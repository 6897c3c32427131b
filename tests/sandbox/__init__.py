"""Tests of tea_runner/sandbox."""
