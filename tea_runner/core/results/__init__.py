"""Results as values: manifests, run records, results commits."""
