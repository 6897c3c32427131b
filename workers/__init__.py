"""Worker processes: planner, reconciler, and the workers that do jobs."""
