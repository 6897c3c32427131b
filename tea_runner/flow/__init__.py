"""The spine: one file per step on the way from delivery to results commit."""
