"""Tests of tea_runner/cli."""
