"""Tests of tea_runner/dataset."""
