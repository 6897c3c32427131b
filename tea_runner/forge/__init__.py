"""Forges: who tells of pushes and shows commit statuses."""
