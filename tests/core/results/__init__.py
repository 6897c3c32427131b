"""Tests of tea_runner/core/results."""
