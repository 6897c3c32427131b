"""Tests of tea_runner/adapters/forge."""
