"""Tests of tea_runner/flow."""
