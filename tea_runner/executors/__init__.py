"""Executors outside this process: each has programs of a cluster carry out the jobs of a clone.

A job is a file in a :class:`~tea_runner.executors.job_folder.JobFolder` below the clone, which all nodes see.
``tea-runner run-job`` carries it out and leaves its outcome there; results are in the clone.
"""
