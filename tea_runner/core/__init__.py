"""The rules as pure functions and frozen values, without I/O."""
