"""Tests of tea_runner/host."""
