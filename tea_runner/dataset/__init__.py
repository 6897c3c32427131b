"""git and git-annex: read datasets, find results, publish commits."""
