"""Tests that follow the pages of the documentation."""
