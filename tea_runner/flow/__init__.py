"""The steps from a delivery to a results commit, one module for each."""
