"""Tests with faults at every step, at random, and between processes: no push is lost, doubled or changed."""
