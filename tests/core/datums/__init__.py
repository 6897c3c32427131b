"""Tests of tea_runner/core/datums."""
