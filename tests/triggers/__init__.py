"""Tests of tea_runner/triggers."""
