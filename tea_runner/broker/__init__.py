"""Redis and RQ: jobs, plan requests, runs, logs and locks."""
