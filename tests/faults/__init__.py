"""Faults at every step, at random, and between the processes: nothing may be lost, doubled or other."""
