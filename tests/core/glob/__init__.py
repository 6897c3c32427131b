"""Tests of tea_runner/core/glob."""
