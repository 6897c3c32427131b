"""One suite per port, run against every implementation: the twin in memory and the real ones."""
