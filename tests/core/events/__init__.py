"""Tests of tea_runner/core/events."""
