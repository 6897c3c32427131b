"""Tests of tea_runner/core/spec."""
