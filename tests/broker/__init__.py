"""Tests of tea_runner/broker."""
