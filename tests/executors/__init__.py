"""Tests of executors: threads, Slurm, Dask."""
