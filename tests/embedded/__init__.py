"""Tests of tea_runner/embedded."""
