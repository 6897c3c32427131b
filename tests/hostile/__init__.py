"""Hostile input, as data, and the answer that each gets."""
