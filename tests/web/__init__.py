"""Tests of tea_runner/web."""
