"""Other tools that do the same work; one file each."""
