"""git and git-annex formats: trees, .gitmodules, branch names, annex paths."""
