"""Datums: enumerate them, describe what their commands see, compute their keys."""
