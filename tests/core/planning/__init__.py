"""Tests of tea_runner/core/planning."""
