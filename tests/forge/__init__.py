"""Tests of tea_runner/forge."""
