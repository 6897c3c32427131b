"""In-memory implementations of the ports, which pass the contract tests of tests/contracts."""
